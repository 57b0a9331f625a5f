output "connect_command" {
  description = "What points kubectl to the cluster."
  value       = "gcloud container clusters get-credentials ${google_container_cluster.this.name} --project ${var.project_id} --location ${var.zone}"
}

output "annotate_command" {
  description = "What lets the steps act as the runner, once Kubeflow Pipelines is in the cluster."
  value       = "kubectl --namespace kubeflow annotate serviceaccount pipeline-runner iam.gke.io/gcp-service-account=${var.runner.email}"
}
