resource "google_service_account" "nodes" {
  project      = var.project_id
  account_id   = "pawpetal-nodes"
  display_name = "Nodes of pawpetal's cluster"
}

# logEntries.create, timeSeries.create: the nodes' own agents.
resource "google_project_iam_member" "nodes" {
  project = var.project_id
  role    = "roles/container.defaultNodeServiceAccount"
  member  = google_service_account.nodes.member
}

# docker pull, of the images of steps.
resource "google_artifact_registry_repository_iam_member" "nodes_images" {
  project    = var.images.project
  location   = var.images.location
  repository = var.images.name
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.nodes.member
}

# generateAccessToken: a step, which runs as Kubeflow's account pipeline-runner, becomes the runner to
# read and write gs://.
resource "google_service_account_iam_member" "pods_as_runner" {
  service_account_id = var.runner.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${google_container_cluster.this.workload_identity_config[0].workload_pool}[kubeflow/pipeline-runner]"
}
