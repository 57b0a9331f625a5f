variable "project_id" {
  description = "Project to enable them in."
  type        = string
}

variable "also" {
  description = "More than a run needs, e.g. [\"sts.googleapis.com\"]."
  type        = list(string)
  default     = []
}
