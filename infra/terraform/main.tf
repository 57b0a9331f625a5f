# What every project needs. Continuous integration, a budget and a cluster are modules of their own:
# examples/full wires them.

module "apis" {
  source     = "./modules/apis"
  project_id = var.project_id
  also       = var.also_apis
}

module "bucket" {
  source     = "./modules/bucket"
  project_id = var.project_id
  region     = var.region
  name       = var.bucket == "" ? "${var.project_id}-pawpetal" : var.bucket
  run_days   = var.run_days
  depends_on = [module.apis]
}

module "registries" {
  source     = "./modules/registries"
  project_id = var.project_id
  region     = var.region
  depends_on = [module.apis]
}

module "accounts" {
  source     = "./modules/accounts"
  project_id = var.project_id
  bucket     = module.bucket.name
  images     = module.registries.images
  specs      = module.registries.specs
  submitters = var.submitters
  depends_on = [module.apis]
}
