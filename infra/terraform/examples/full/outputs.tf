output "login_command" {
  description = "First, once on each laptop."
  value       = module.pawpetal.login_command
}

output "run_command" {
  description = "Then this, with --dataset added."
  value       = module.pawpetal.run_command
}

output "ci" {
  description = "What google-github-actions/auth takes: `service_account` is `publisher` to publish, `submitter` to start a run."
  value = {
    workload_identity_provider = module.ci.workload_identity_provider
    publisher                  = module.ci.email
    submitter                  = module.pawpetal.submitter.email
  }
}

output "cluster_commands" {
  description = "How to reach the cluster, and what to say to it once; empty without one."
  value       = [for cluster in module.tpu_cluster : [cluster.connect_command, cluster.annotate_command]]
}
