output "runner" {
  description = "Resource name and e-mail."
  value       = { name = google_service_account.runner.name, email = google_service_account.runner.email }
}

output "submitter" {
  description = "Resource name and e-mail."
  value       = { name = google_service_account.submitter.name, email = google_service_account.submitter.email }
}
