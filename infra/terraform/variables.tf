variable "project_id" {
  description = "Project that all of it lies in; it must exist and have a billing account."
  type        = string
}

variable "region" {
  description = "Region of the runs, the bucket and the images: one for all, since traffic between regions costs."
  type        = string
}

variable "submitters" {
  description = "People who may start runs, e.g. [\"group:vision@example.com\"]."
  type        = list(string)
  default     = []
}

variable "bucket" {
  description = "Name of the bucket; empty for PROJECT-pawpetal."
  type        = string
  default     = ""
}

variable "run_days" {
  description = "Days that the files of a run are kept."
  type        = number
  default     = 90
}

variable "also_apis" {
  description = "More APIs to enable, for the modules beside these."
  type        = list(string)
  default     = []
}
