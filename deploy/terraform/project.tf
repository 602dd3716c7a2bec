resource "google_project_service" "apis" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "bigquery.googleapis.com",
    "bigquerydatatransfer.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudscheduler.googleapis.com",
    "compute.googleapis.com",
    "dataflow.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
  ])

  service            = each.key
  disable_on_destroy = false # Others in the project may use it.
}

# Google's own accounts, which act for these services. In a new project Google creates them only on
# request.
resource "google_project_service_identity" "agents" {
  provider = google-beta
  for_each = toset(["pubsub", "secretmanager", "bigquerydatatransfer"])

  service = "${each.key}.googleapis.com"

  depends_on = [google_project_service.apis]
}

locals {
  agents = { for name, identity in google_project_service_identity.agents : name => identity.member }

  labels = merge({ application = var.name }, var.labels)
}
