output "images" {
  description = "Repository of the images: project, location and name, and its URL for --image-registry."
  value = {
    project  = google_artifact_registry_repository.images.project
    location = google_artifact_registry_repository.images.location
    name     = google_artifact_registry_repository.images.name
    url      = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}"
  }
}

output "specs" {
  description = "Repository of the specs: project, location and name, and its URL for kfp's RegistryClient."
  value = {
    project  = google_artifact_registry_repository.specs.project
    location = google_artifact_registry_repository.specs.location
    name     = google_artifact_registry_repository.specs.name
    url      = "https://${var.region}-kfp.pkg.dev/${var.project_id}/${google_artifact_registry_repository.specs.repository_id}"
  }
}
