# customJobs.create, customJobs.get, customJobs.list, customJobs.cancel: the train step starts its
# custom job, finds it again, follows it and ends it with itself. metadataStores.get: Vertex AI
# records, as this account, what each step reads and writes. models.get, models.listVersions,
# models.mergeVersionAliases, models.upload, operations.list: push registers the model.
resource "google_project_iam_member" "runner_vertex" {
  project = var.project_id
  role    = "roles/aiplatform.user"
  member  = google_service_account.runner.member
}

# objects.get, objects.list, objects.insert, objects.delete: photos, what steps hand on, checkpoints.
resource "google_storage_bucket_iam_member" "runner_objects" {
  bucket = var.bucket
  role   = "roles/storage.objectUser"
  member = google_service_account.runner.member
}

# docker pull, of a step's image. Vertex AI pulls that of a custom job as an account of its own.
resource "google_artifact_registry_repository_iam_member" "runner_images" {
  project    = var.images.project
  location   = var.images.location
  repository = var.images.name
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.runner.member
}

# customJobs.create names the account that the job runs as, and whoever calls it must be allowed to
# act as that account: here both are the runner.
resource "google_service_account_iam_member" "runner_as_itself" {
  service_account_id = google_service_account.runner.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.runner.member
}
