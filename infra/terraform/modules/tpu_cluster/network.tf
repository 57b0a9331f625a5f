# Nodes have no address of their own: Google's APIs are reached privately, the rest through NAT.

resource "google_compute_network" "this" {
  # checkov:skip=CKV2_GCP_18: without rules nothing gets in; GKE adds what its nodes need
  project                 = var.project_id
  name                    = "pawpetal"
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "this" {
  project                  = var.project_id
  region                   = var.region
  name                     = "pawpetal-nodes"
  network                  = google_compute_network.this.id
  ip_cidr_range            = "10.10.0.0/22"
  private_ip_google_access = true

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = "10.20.0.0/16"
  }
  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = "10.30.0.0/20"
  }
  log_config {
    flow_sampling = 0.1 # enough to see who talks to whom
  }
}

resource "google_compute_router" "this" {
  project = var.project_id
  region  = var.region
  name    = "pawpetal"
  network = google_compute_network.this.id
}

# Kubeflow's own images come from elsewhere.
resource "google_compute_router_nat" "this" {
  project                            = var.project_id
  region                             = var.region
  name                               = "pawpetal"
  router                             = google_compute_router.this.name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
}
