# Two accounts, and no key of either: Vertex AI hands the runner's tokens to the steps, and people
# and CI act as the submitter. Each role names the calls that need it; docs/terraform.md lists them.

resource "google_service_account" "runner" {
  project      = var.project_id
  account_id   = "pawpetal-runner"
  display_name = "Runs the steps of pawpetal"
}

resource "google_service_account" "submitter" {
  project      = var.project_id
  account_id   = "pawpetal-submitter"
  display_name = "Starts runs of pawpetal"
}
