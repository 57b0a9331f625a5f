# The same with continuous integration, a budget and, where `tpu_zone` is set, a cluster with TPUs.

provider "google" {
  project        = var.project_id
  region         = var.region
  default_labels = { app = "pawpetal" } # by which the bill can be split
  # The budget's API wants to know which project asks.
  user_project_override = true
  billing_project       = var.project_id
}

locals {
  has_cluster = var.tpu_zone != ""
}

module "pawpetal" {
  source     = "../.."
  project_id = var.project_id
  region     = var.region
  submitters = var.submitters
  also_apis = concat(
    [
      "billingbudgets.googleapis.com", # budgets.create, by Terraform
      "monitoring.googleapis.com",     # notificationChannels.create, by Terraform
      "sts.googleapis.com",            # token: GitHub's token becomes Google's
    ],
    local.has_cluster ? ["container.googleapis.com"] : [], # clusters.create, by Terraform
  )
}

module "ci" {
  source        = "../../modules/ci"
  project_id    = var.project_id
  repository    = var.repository
  repository_id = var.repository_id
  runner        = module.pawpetal.runner
  bucket        = module.pawpetal.bucket
  images        = module.pawpetal.images
  specs         = module.pawpetal.specs
  depends_on    = [module.pawpetal]
}

module "budget" {
  source          = "../../modules/budget"
  project_id      = var.project_id
  billing_account = var.billing_account
  monthly_amount  = var.monthly_amount
  emails          = var.budget_emails
  depends_on      = [module.pawpetal]
}

module "tpu_cluster" {
  count = local.has_cluster ? 1 : 0

  source              = "../../modules/tpu_cluster"
  project_id          = var.project_id
  region              = var.region
  zone                = var.tpu_zone
  authorized_networks = var.authorized_networks
  runner              = module.pawpetal.runner
  images              = module.pawpetal.images
  depends_on          = [module.pawpetal]
}
