output "workload_identity_provider" {
  description = "For google-github-actions/auth."
  value       = google_iam_workload_identity_pool_provider.github.name
}

output "email" {
  description = "Account that publishes and deploys."
  value       = google_service_account.ci.email
}
