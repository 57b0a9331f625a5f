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

variable "environment" {
  description = "Environment of GitHub whose jobs are trusted: give it reviewers, and let only release tags use it."
  type        = string
  default     = "release"
}

variable "tag_prefix" {
  description = "How the tags of releases begin; jobs of branches and pull requests are not trusted."
  type        = string
  default     = "v"
}

variable "runner" {
  description = "Account that the steps run as."
  type        = object({ name = string })
}

variable "bucket" {
  description = "Name of the bucket, which holds the log of deployments."
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
