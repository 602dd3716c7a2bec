# Every night a backfill counts the last days again and overrides the stream's figures for them.
resource "google_cloud_scheduler_job" "backfill" {
  count = local.has_jobs ? 1 : 0

  name             = "${var.name}-backfill"
  description      = "Launches the backfill of ${var.backfill.from} to ${var.backfill.to} ago."
  region           = var.region
  schedule         = var.backfill_schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "180s"

  retry_config {
    retry_count          = 3
    min_backoff_duration = "60s"
  }

  http_target {
    http_method = "POST"
    uri         = "https://dataflow.googleapis.com/v1b3/projects/${var.project}/locations/${var.region}/flexTemplates:launch"
    headers     = { "Content-Type" = "application/json" }

    body = base64encode(jsonencode({
      launchParameter = {
        # Always the same name, so that Dataflow refuses to start a backfill while another runs.
        jobName              = "${var.name}-backfill"
        containerSpecGcsPath = "${local.templates}/backfill.json"
        parameters           = { for name, value in local.backfill_flags : name => tostring(value) if value != null }
        environment = {
          for name, value in {
            sdkContainerImage    = local.image
            serviceAccountEmail  = google_service_account.backfill.email
            tempLocation         = "${local.temp}/backfill/temp"
            stagingLocation      = "${local.temp}/backfill/staging"
            machineType          = var.backfill_workers.machine_type
            maxWorkers           = var.backfill_workers.max
            network              = var.network
            subnetwork           = var.subnetwork
            ipConfiguration      = "WORKER_IP_PRIVATE"
            additionalUserLabels = local.labels
            # Without it, the launcher stages a list of its packages.
            additionalExperiments = ["disable_logging_submission_environment"]
          } : name => value if value != null
        }
      }
    }))

    oauth_token {
      service_account_email = google_service_account.scheduler.email
      scope                 = "https://www.googleapis.com/auth/cloud-platform"
    }
  }

  depends_on = [
    google_project_iam_member.scheduler,
    google_service_account_iam_member.scheduler,
    google_storage_bucket_iam_member.scheduler,
  ]
}
