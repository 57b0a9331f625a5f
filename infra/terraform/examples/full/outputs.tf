output "login_command" {
  description = "First, once on each laptop."
  value       = module.pawpetal.login_command
}

output "run_command" {
  description = "Then this, with --dataset added."
  value       = module.pawpetal.run_command
}

output "github_variables" {
  description = "What the workflows ask for: gh variable set NAME --body VALUE, for each."
  value = {
    GOOGLE_CLOUD_BUCKET               = module.pawpetal.bucket
    GOOGLE_CLOUD_PROJECT              = var.project_id
    GOOGLE_CLOUD_REGION               = var.region
    GOOGLE_RUNNER                     = module.pawpetal.runner.email
    GOOGLE_SERVICE_ACCOUNT            = module.ci.email
    GOOGLE_WORKLOAD_IDENTITY_PROVIDER = module.ci.workload_identity_provider
    IMAGE_REGISTRY                    = module.pawpetal.images.url
  }
}

output "cluster_commands" {
  description = "How to reach the cluster, and what to say to it once; empty without one."
  value       = [for cluster in module.tpu_cluster : [cluster.connect_command, cluster.annotate_command]]
}
