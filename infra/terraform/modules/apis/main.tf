locals {
  # What the code calls, as pipelines/google_cloud/permissions.py has it, and how people log in.
  always = [
    "aiplatform.googleapis.com",           # pipelineJobs, customJobs
    "artifactregistry.googleapis.com",     # images and specs
    "cloudresourcemanager.googleapis.com", # projects.get, projects.getIamPolicy
    "compute.googleapis.com",              # networks.get; the machines that Vertex AI starts
    "iam.googleapis.com",                  # serviceAccounts.get, roles.get
    "iamcredentials.googleapis.com",       # generateAccessToken: people and CI act as the submitter
    "logging.googleapis.com",              # what steps print
    "serviceusage.googleapis.com",         # services.batchGet, consumerQuotaMetrics.get
    "storage.googleapis.com",              # objects and buckets
  ]
}

resource "google_project_service" "this" {
  for_each = toset(concat(local.always, var.also))

  project = var.project_id
  service = each.value
  # Others may use the same API: leave it on when this is destroyed.
  disable_on_destroy = false
}
