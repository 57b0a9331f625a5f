variable "project_id" {
  description = "Project whose costs are watched."
  type        = string
}

variable "billing_account" {
  description = "Billing account of the project, as 012345-6789AB-CDEF01."
  type        = string
}

variable "monthly_amount" {
  description = "What may be spent in a month, in whole units of the currency."
  type        = number
}

variable "currency" {
  description = "Currency of the billing account."
  type        = string
  default     = "USD"
}

variable "emails" {
  description = "Who is told, at 50, 90 and 100 %, and when the forecast reaches 100 %; at most 5."
  type        = list(string)

  validation {
    condition     = length(var.emails) >= 1 && length(var.emails) <= 5
    error_message = "`emails` must hold 1 to 5 addresses: a budget takes no more channels."
  }
}
