variable "project_id" {
  description = "Project of the cluster."
  type        = string
}

variable "region" {
  description = "Region of the network."
  type        = string
}

variable "zone" {
  description = "Zone of the cluster, one that has TPU v5e, e.g. us-west4-a."
  type        = string

  validation {
    condition     = startswith(var.zone, "${var.region}-")
    error_message = "`zone` must lie in `region`."
  }
}

variable "authorized_networks" {
  description = "Networks that reach the cluster's API, by name, e.g. { office = \"203.0.113.0/24\" }."
  type        = map(string)
}

variable "max_tpu_nodes" {
  description = "Slices of four chips at a time, at most."
  type        = number
  default     = 1
}

variable "spot" {
  description = "Whether TPU nodes are cheaper and may be taken away: training goes on from its checkpoint."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` refuses to delete the cluster."
  type        = bool
  default     = true
}

variable "runner" {
  description = "Account that the steps act as."
  type        = object({ name = string, email = string })
}

variable "images" {
  description = "Repository of the images."
  type        = object({ project = string, location = string, name = string })
}
