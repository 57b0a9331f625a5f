variable "project_id" {
  description = "Project of the bucket."
  type        = string
}

variable "region" {
  description = "Region of the runs: steps read from it at no charge."
  type        = string
}

variable "name" {
  description = "Name of the bucket, one in the whole world."
  type        = string
}

variable "run_days" {
  description = "Days that the files of a run are kept."
  type        = number

  validation {
    condition     = var.run_days >= 7
    error_message = "`run_days` must be 7 or more: a run may take days, and its files are needed to its end."
  }
}
