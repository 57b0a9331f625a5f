# All that a run on Vertex AI needs.

provider "google" {
  project        = var.project_id
  region         = var.region
  default_labels = { app = "pawpetal" } # by which the bill can be split
}

module "pawpetal" {
  source     = "../.."
  project_id = var.project_id
  region     = var.region
  submitters = var.submitters
}
