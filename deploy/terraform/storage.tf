# Bucket names must be unique in the whole world, so they contain the project's id.

resource "google_storage_bucket" "archive" {
  name                        = "${var.project}-${var.name}-archive"
  location                    = var.region
  labels                      = local.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  # A deleted file must be gone at once, because the archive is the only place with text.
  soft_delete_policy {
    retention_duration_seconds = 0
  }

  lifecycle_rule {
    condition {
      age = var.archive_days
    }

    action {
      type = "Delete"
    }
  }

  depends_on = [google_project_service.apis]
}

resource "google_storage_bucket" "temp" {
  name                        = "${var.project}-${var.name}-temp"
  location                    = var.region
  labels                      = local.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  soft_delete_policy {
    retention_duration_seconds = 0
  }

  lifecycle_rule {
    condition {
      age = 14 # Days. The bucket has staged graphs, and files on their way to BigQuery.
    }

    action {
      type = "Delete"
    }
  }

  depends_on = [google_project_service.apis]
}

resource "google_storage_bucket" "templates" {
  name                        = "${var.project}-${var.name}-templates"
  location                    = var.region
  labels                      = local.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  depends_on = [google_project_service.apis]
}

resource "google_artifact_registry_repository" "images" {
  repository_id = var.name
  description   = "The image of the jobs, for launcher and workers."
  location      = var.region
  format        = "DOCKER"
  labels        = local.labels

  docker_config {
    immutable_tags = true # So a release can't differ from the image that was tested.
  }

  depends_on = [google_project_service.apis]
}
