# A cluster for `pawpetal run --on kubeflow --accelerator tpu:v5e:2x2`. Vertex AI needs none of this.

resource "google_container_cluster" "this" {
  # checkov:skip=CKV_GCP_12: datapath_provider enforces network policies; the older setting excludes it
  # checkov:skip=CKV_GCP_65: groups of Google Workspace, which a project need not have
  # checkov:skip=CKV_GCP_66: the project's usual policy lets all images in, so that it would guard nothing
  project             = var.project_id
  name                = "pawpetal"
  location            = var.zone # one zone: the first such cluster of a billing account has no fee
  deletion_protection = var.deletion_protection
  resource_labels     = { app = "pawpetal" }

  network         = google_compute_network.this.id
  subnetwork      = google_compute_subnetwork.this.id
  networking_mode = "VPC_NATIVE"
  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }

  private_cluster_config {
    enable_private_nodes    = true
    enable_private_endpoint = false # reached from the networks below, and from no others
    master_ipv4_cidr_block  = "10.40.0.0/28"
  }
  master_authorized_networks_config {
    gcp_public_cidrs_access_enabled = false
    dynamic "cidr_blocks" {
      for_each = var.authorized_networks
      content {
        display_name = cidr_blocks.key
        cidr_block   = cidr_blocks.value
      }
    }
  }

  release_channel {
    channel = "REGULAR"
  }
  workload_identity_config {
    workload_pool = "${var.project_id}.svc.id.goog"
  }
  datapath_provider           = "ADVANCED_DATAPATH" # network policies are enforced
  enable_intranode_visibility = true
  enable_shielded_nodes       = true
  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }

  # The pools below replace the one that a cluster is born with.
  remove_default_node_pool = true
  initial_node_count       = 1
  node_config {
    service_account = google_service_account.nodes.email
    workload_metadata_config {
      mode = "GKE_METADATA"
    }
    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }
  }
  lifecycle {
    ignore_changes = [node_config] # read back from whichever pool comes first
  }
}

locals {
  # Machines of the two pools. A TPU node is a whole slice of four chips, tpu:v5e:2x2, and is there
  # only while a step asks for it.
  pools = {
    cpu = { machine_type = "e2-standard-4", min = 1, max = 3, spot = false }
    tpu = { machine_type = "ct5lp-hightpu-4t", min = 0, max = var.max_tpu_nodes, spot = var.spot }
  }
}

resource "google_container_node_pool" "this" {
  for_each = local.pools

  project  = var.project_id
  name     = each.key
  cluster  = google_container_cluster.this.name
  location = var.zone

  autoscaling {
    min_node_count = each.value.min
    max_node_count = each.value.max
  }
  management {
    auto_repair  = true
    auto_upgrade = true
  }
  node_config {
    machine_type    = each.value.machine_type
    spot            = each.value.spot
    service_account = google_service_account.nodes.email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"] # the account's roles are the limit
    workload_metadata_config {
      mode = "GKE_METADATA"
    }
    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }
  }
}
