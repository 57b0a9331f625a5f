output "run_command" {
  description = "What starts a run, but for its dataset."
  value = join(" ", [
    "pawpetal run --on vertex",
    "--project ${var.project_id}",
    "--region ${var.region}",
    "--bucket ${module.bucket.name}",
    "--service-account ${module.accounts.runner.email}",
    "--image-registry ${module.registries.images.url}",
  ])
}

output "login_command" {
  description = "What lets a submitter start runs from a laptop, as the submitter account and without a key."
  value       = "gcloud auth application-default login --impersonate-service-account=${module.accounts.submitter.email}"
}

output "runner" {
  description = "Account that the steps run as: its resource name and e-mail."
  value       = module.accounts.runner
}

output "submitter" {
  description = "Account that starts runs: its resource name and e-mail."
  value       = module.accounts.submitter
}

output "bucket" {
  description = "Name of the bucket."
  value       = module.bucket.name
}

output "images" {
  description = "Repository of the images."
  value       = module.registries.images
}

output "specs" {
  description = "Repository of the compiled specs."
  value       = module.registries.specs
}
