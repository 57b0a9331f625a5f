variable "project_id" {
  description = "Project of the accounts."
  type        = string
}

variable "bucket" {
  description = "Name of the bucket that the runner writes to."
  type        = string
}

variable "images" {
  description = "Repository of the images."
  type        = object({ project = string, location = string, name = string })
}

variable "specs" {
  description = "Repository of the compiled specs."
  type        = object({ project = string, location = string, name = string })
}

variable "submitters" {
  description = "People who may act as the submitter, e.g. [\"group:vision@example.com\"]."
  type        = list(string)

  validation {
    condition     = alltrue([for each in var.submitters : can(regex("^(user|group|domain):.+", each))])
    error_message = "`submitters` must be of the form user:E-MAIL, group:E-MAIL or domain:NAME, never the whole world."
  }
}
