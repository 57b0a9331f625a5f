output "name" {
  description = "Name, for --bucket."
  value       = google_storage_bucket.this.name
}
