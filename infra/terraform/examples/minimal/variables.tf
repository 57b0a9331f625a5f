variable "project_id" {
  description = "Project that all of it lies in; it must exist and have a billing account."
  type        = string
}

variable "region" {
  description = "Region of the runs, the bucket and the images."
  type        = string
  default     = "us-central1"
}

variable "submitters" {
  description = "People who may start runs, e.g. [\"user:you@example.com\"]."
  type        = list(string)
}
