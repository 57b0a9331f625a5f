# GitHub signs a token for each of its jobs; Google takes it, if it is of this repository and branch,
# and gives an hour's token for it. There is no key to leak.

resource "google_iam_workload_identity_pool" "github" {
  project                   = var.project_id
  workload_identity_pool_id = "pawpetal-github"
  display_name              = "GitHub Actions of pawpetal"
}

resource "google_iam_workload_identity_pool_provider" "github" {
  # checkov:skip=CKV_GCP_125: it knows assertion.sub alone, whose form GitHub lets each repository change; these three say more
  project                            = var.project_id
  workload_identity_pool_id          = google_iam_workload_identity_pool.github.workload_identity_pool_id
  workload_identity_pool_provider_id = "github"
  display_name                       = "One repository, one branch"

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
  attribute_mapping = {
    "google.subject"       = "assertion.sub"
    "attribute.repository" = "assertion.repository"
  }
  # The name could be registered anew by someone else, once the repository is renamed: the number not.
  attribute_condition = join(" && ", [
    "assertion.repository == '${var.repository}'",
    "assertion.repository_id == '${var.repository_id}'",
    "assertion.ref == 'refs/heads/${var.branch}'",
  ])
}

resource "google_service_account" "ci" {
  project      = var.project_id
  account_id   = "pawpetal-ci"
  display_name = "Publishes images and specs of pawpetal"
}

locals {
  github = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.github.name}/attribute.repository/${var.repository}"
}

# generateAccessToken: a job becomes pawpetal-ci, to publish.
resource "google_service_account_iam_member" "github_as_ci" {
  service_account_id = google_service_account.ci.name
  role               = "roles/iam.workloadIdentityUser"
  member             = local.github
}

# generateAccessToken: a job becomes the submitter, to start a run. pawpetal-ci itself cannot.
resource "google_service_account_iam_member" "github_as_submitter" {
  service_account_id = var.submitter.name
  role               = "roles/iam.workloadIdentityUser"
  member             = local.github
}

# docker push, of the images.
resource "google_artifact_registry_repository_iam_member" "ci_images" {
  project    = var.images.project
  location   = var.images.location
  repository = var.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.ci.member
}

# RegistryClient.upload_pipeline of kfp: the compiled specs.
resource "google_artifact_registry_repository_iam_member" "ci_specs" {
  project    = var.specs.project
  location   = var.specs.location
  repository = var.specs.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.ci.member
}
