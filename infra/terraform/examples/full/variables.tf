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

variable "repository" {
  description = "GitHub repository that releases, as OWNER/NAME."
  type        = string
}

variable "repository_id" {
  description = "Its number: gh api repos/OWNER/NAME --jq .id"
  type        = string
}

variable "billing_account" {
  description = "Billing account of the project: gcloud billing projects describe PROJECT"
  type        = string
}

variable "monthly_amount" {
  description = "What may be spent in a month, in US dollars."
  type        = number
}

variable "budget_emails" {
  description = "Who is told when it is spent."
  type        = list(string)
}

variable "tpu_zone" {
  description = "Zone of a cluster with TPU v5e; empty for no cluster."
  type        = string
  default     = ""
}

variable "authorized_networks" {
  description = "Networks that reach the cluster's API, by name."
  type        = map(string)
  default     = {}
}
