variable "project_id" {
  description = "Project of the pool and the account."
  type        = string
}

variable "repository" {
  description = "GitHub repository, as OWNER/NAME."
  type        = string

  validation {
    condition     = can(regex("^[\\w.-]+/[\\w.-]+$", var.repository))
    error_message = "`repository` must be OWNER/NAME."
  }
}

variable "repository_id" {
  description = "Its number: gh api repos/OWNER/NAME --jq .id"
  type        = string

  validation {
    condition     = can(regex("^[0-9]+$", var.repository_id))
    error_message = "`repository_id` must be a number. See: gh api repos/OWNER/NAME --jq .id"
  }
}

variable "branch" {
  description = "Branch whose jobs are trusted; pull requests are not."
  type        = string
  default     = "main"
}

variable "submitter" {
  description = "Account that starts runs."
  type        = object({ name = string })
}

variable "images" {
  description = "Repository of the images."
  type        = object({ project = string, location = string, name = string })
}

variable "specs" {
  description = "Repository of the compiled specs."
  type        = object({ project = string, location = string, name = string })
}
