# GitHub signs a token for each of its jobs; Google takes it, if it is of this repository, of a release
# tag and of the environment `release`, and gives an hour's token for it. There is no key to leak.

resource "google_iam_workload_identity_pool" "github" {
  project                   = var.project_id
  workload_identity_pool_id = "pawpetal-github"
  display_name              = "GitHub Actions of pawpetal"
}

resource "google_iam_workload_identity_pool_provider" "github" {
  # checkov:skip=CKV_GCP_125: it knows assertion.sub alone, whose form GitHub lets each repository change; these four say more
  project                            = var.project_id
  workload_identity_pool_id          = google_iam_workload_identity_pool.github.workload_identity_pool_id
  workload_identity_pool_provider_id = "github"
  display_name                       = "One repository, its releases"

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
  attribute_mapping = {
    "google.subject"       = "assertion.sub"
    "attribute.repository" = "assertion.repository"
  }
  # The name could be registered anew by someone else, once the repository is renamed: the number not.
  # Whoever may push a tag chooses what its jobs do. So the tag is not enough: GitHub gives a job its
  # environment only after the environment's own rules, reviewers among them, let it. No branch is let
  # in: nothing on one needs Google Cloud.
  attribute_condition = join(" && ", [
    "assertion.repository == '${var.repository}'",
    "assertion.repository_id == '${var.repository_id}'",
    "assertion.environment == '${var.environment}'",
    "assertion.ref.startsWith('refs/tags/${var.tag_prefix}')",
  ])
}

resource "google_service_account" "ci" {
  project      = var.project_id
  account_id   = "pawpetal-ci"
  display_name = "Publishes and deploys pawpetal"
}

# generateAccessToken: a job becomes pawpetal-ci, to publish and deploy. generateIdToken: where
# Kubeflow is behind Identity-Aware Proxy.
resource "google_service_account_iam_member" "github_as_ci" {
  service_account_id = google_service_account.ci.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.github.name}/attribute.repository/${var.repository}"
}

# docker push, of the images and of what cosign says of them.
resource "google_artifact_registry_repository_iam_member" "ci_images" {
  project    = var.images.project
  location   = var.images.location
  repository = var.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.ci.member
}
