variable "project_id" {
  description = "Project of the repositories."
  type        = string
}

variable "region" {
  description = "Region of the runs: images are pulled from it at no charge."
  type        = string
}

variable "image_days" {
  description = "Days that images and specs are kept; those of the 20 newest releases, and the specs that are deployed, stay longer."
  type        = number
  default     = 365
}
