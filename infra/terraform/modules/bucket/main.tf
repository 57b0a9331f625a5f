resource "google_storage_bucket" "this" {
  # checkov:skip=CKV_GCP_62: access logs need a second bucket and are charged; Cloud Audit Logs tell who reads, where wanted
  project  = var.project_id
  name     = var.name
  location = var.region

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false # datasets and models are in it

  # One net: an object that is overwritten or deleted is an old version for 30 days. Soft deletion
  # would be a second one, and charge each checkpoint of each minute for a week.
  versioning {
    enabled = true
  }
  soft_delete_policy {
    retention_duration_seconds = 0
  }
  lifecycle_rule {
    condition {
      days_since_noncurrent_time = 30
      with_state                 = "ARCHIVED"
    }
    action {
      type = "Delete"
    }
  }

  # A training replaces its checkpoint every minute, and deletes it at its end: nobody wants an old
  # one, nor that of a training which was not taken up again for a month.
  lifecycle_rule {
    condition {
      num_newer_versions = 1
      matches_prefix     = ["pawpetal/checkpoints/"]
      with_state         = "ARCHIVED"
    }
    action {
      type = "Delete"
    }
  }
  lifecycle_rule {
    condition {
      age            = 30
      matches_prefix = ["pawpetal/checkpoints/"]
      with_state     = "LIVE"
    }
    action {
      type = "Delete"
    }
  }

  # What a run hands from step to step; datasets and models lie beside this folder and stay.
  lifecycle_rule {
    condition {
      age            = var.run_days
      matches_prefix = ["pawpetal/runs/"]
      with_state     = "LIVE"
    }
    action {
      type = "Delete"
    }
  }

  # What a killed upload left is charged and shown nowhere.
  lifecycle_rule {
    condition {
      age = 7
    }
    action {
      type = "AbortIncompleteMultipartUpload"
    }
  }
}
