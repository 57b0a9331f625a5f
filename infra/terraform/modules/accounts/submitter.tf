# pipelineJobs.create, pipelineJobs.get, pipelineJobs.cancel: start a run, follow it, end it.
# schedules.list, schedules.create, schedules.patch, schedules.pause, schedules.resume,
# schedules.delete: `pawpetal schedule`. models.get, models.list: the champion, and what
# `pawpetal models` shows.
resource "google_project_iam_member" "submitter_vertex" {
  project = var.project_id
  role    = "roles/aiplatform.user"
  member  = google_service_account.submitter.member
}

# objects.get, objects.list: the fingerprint of a dataset, the results of a run.
resource "google_storage_bucket_iam_member" "submitter_objects" {
  bucket = var.bucket
  role   = "roles/storage.objectViewer"
  member = google_service_account.submitter.member
}

# tags.get: `pawpetal doctor` looks whether the images are there.
resource "google_artifact_registry_repository_iam_member" "submitter_images" {
  project    = var.images.project
  location   = var.images.location
  repository = var.images.name
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.submitter.member
}

# GET of REGION-kfp.pkg.dev: the deployed spec that a schedule is to start.
resource "google_artifact_registry_repository_iam_member" "submitter_specs" {
  project    = var.specs.project
  location   = var.specs.location
  repository = var.specs.name
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.submitter.member
}

# pipelineJobs.create names the account that the steps run as: whoever calls it must be allowed to
# act as the runner. The submitter may act as no other account.
resource "google_service_account_iam_member" "submitter_as_runner" {
  service_account_id = google_service_account.runner.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.submitter.member
}

# services.batchGet, consumerQuotaMetrics.get: `pawpetal doctor` looks whether APIs are enabled, and
# how many accelerators may be had. It also makes this project the one that calls count against.
resource "google_project_iam_member" "submitter_services" {
  project = var.project_id
  role    = "roles/serviceusage.serviceUsageConsumer"
  member  = google_service_account.submitter.member
}

# entries.list: the log of a step that failed, in the console.
resource "google_project_iam_member" "submitter_logs" {
  project = var.project_id
  role    = "roles/logging.viewer"
  member  = google_service_account.submitter.member
}

# projects.get, projects.getIamPolicy, buckets.get, buckets.getIamPolicy, serviceAccounts.get,
# serviceAccounts.getIamPolicy, repositories.getIamPolicy, networks.get: `pawpetal doctor` tells by
# them who lacks which role, and what is not where the run would be.
resource "google_project_iam_member" "submitter_doctor" {
  project = var.project_id
  role    = google_project_iam_custom_role.doctor.name
  member  = google_service_account.submitter.member
}

# The predefined role that reads policies, iam.securityReviewer, reads those of everything.
resource "google_project_iam_custom_role" "doctor" {
  project     = var.project_id
  role_id     = "pawpetalDoctor"
  title       = "Reads what pawpetal doctor checks"
  description = "Changes nothing, and reads no data."
  permissions = [
    "artifactregistry.repositories.getIamPolicy",
    "compute.networks.get",
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.getIamPolicy",
    "resourcemanager.projects.get",
    "resourcemanager.projects.getIamPolicy",
    "storage.buckets.get",
    "storage.buckets.getIamPolicy",
  ]
}

# generateAccessToken: a person's login becomes an hour's token of the submitter.
resource "google_service_account_iam_member" "people_as_submitter" {
  for_each = toset(var.submitters)

  service_account_id = google_service_account.submitter.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.value
}
