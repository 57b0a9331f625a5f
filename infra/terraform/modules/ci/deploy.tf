# What `pawpetal deploy` and `pawpetal schedule apply` ask for, as pawpetal-ci. They delete nothing, so
# roles that could are left out, but for Vertex AI's, which is one for all.

# POST and GET of REGION-kfp.pkg.dev: compiled specs. tags.get, tags.create, tags.patch: their tags, one
# of which moves.
resource "google_artifact_registry_repository_iam_member" "ci_specs" {
  project    = var.specs.project
  location   = var.specs.location
  repository = var.specs.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.ci.member
}

# schedules.list, schedules.create, schedules.patch, schedules.pause, schedules.resume: schedules, which
# a new deployment points to its specs. pipelineJobs.create, pipelineJobs.get, pipelineJobs.cancel: the
# small run that a deployment is tried by. models.get, models.list: the champion.
resource "google_project_iam_member" "ci_vertex" {
  project = var.project_id
  role    = "roles/aiplatform.user"
  member  = google_service_account.ci.member
}

# pipelineJobs.create, schedules.create name the account that the steps run as.
resource "google_service_account_iam_member" "ci_as_runner" {
  service_account_id = var.runner.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.ci.member
}

# objects.get, objects.list: the log of deployments, the results of the small run, and whether there
# are photos where a schedule says.
resource "google_storage_bucket_iam_member" "ci_objects" {
  bucket = var.bucket
  role   = "roles/storage.objectViewer"
  member = google_service_account.ci.member
}

# objects.insert, in the folder of the log: this role cannot overwrite, so the log only grows.
resource "google_storage_bucket_iam_member" "ci_log" {
  bucket = var.bucket
  role   = "roles/storage.objectCreator"
  member = google_service_account.ci.member

  condition {
    title      = "Log of deployments"
    expression = "resource.name.startsWith('projects/_/buckets/${var.bucket}/objects/pawpetal/deployments/')"
  }
}
