resource "google_artifact_registry_repository" "images" {
  # checkov:skip=CKV_GCP_84: Google's own keys encrypt it; a key of one's own is a policy of one's own
  project       = var.project_id
  location      = var.region
  repository_id = "pawpetal"
  description   = "Images of the steps"
  format        = "DOCKER"

  # Each change of the code is a new tag, so old ones pile up. Tags never move by themselves;
  # `immutable_tags` would keep them from being cleaned up too.
  cleanup_policy_dry_run = false
  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "${var.image_days}d"
    }
  }
  # A policy that keeps wins over one that deletes. Signature and list of contents are versions, too:
  # these are twenty releases. Specs name images by digest, which no tag says to keep: so there are many,
  # and long. They share their layers, so most cost a megabyte.
  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 60
    }
  }
}

resource "google_artifact_registry_repository" "specs" {
  # checkov:skip=CKV_GCP_84: Google's own keys encrypt it, as they do the images
  project       = var.project_id
  location      = var.region
  repository_id = "pawpetal-specs"
  description   = "Compiled pipelines"
  format        = "KFP"

  cleanup_policy_dry_run = false
  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "${var.image_days}d" # a spec is of no use without its images
    }
  }
  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 20
    }
  }
  # What schedules start, however old. `pawpetal deploy` moves this tag to what is current.
  cleanup_policies {
    id     = "keep-deployed"
    action = "KEEP"
    condition {
      tag_state    = "TAGGED"
      tag_prefixes = ["deployed"]
    }
  }
}
