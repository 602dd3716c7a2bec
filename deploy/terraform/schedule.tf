# Every night a backfill counts the last days again and replaces what the stream counted on them. After
# it, the judging job has a sample of the closed days judged, and the publisher publishes these days.

locals {
  launches = merge(local.judge_launch, {
    backfill = {
      description = "Launches the backfill of ${var.backfill.from} to ${var.backfill.to} ago."
      schedule    = var.backfill_schedule
      account     = google_service_account.backfill
      workers     = var.backfill_workers
      flags       = local.backfill_flags
    }
    publish = {
      description = "Launches the publication of closed days."
      schedule    = var.publish_schedule
      account     = google_service_account.publisher
      workers     = var.publish_workers
      flags       = local.publish_flags
    }
  })

  judge_launch = {
    for account in google_service_account.judge : "judge" => {
      description = "Launches the judging of a sample of closed days."
      schedule    = var.judge_schedule
      account     = account
      workers     = var.judge_workers
      flags       = local.judge_flags
    }
  }
}

resource "google_cloud_scheduler_job" "launch" {
  for_each = { for name, launch in local.launches : name => launch if local.has_jobs }

  name             = "${var.name}-${each.key}"
  description      = each.value.description
  region           = var.region
  schedule         = each.value.schedule
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
        # Always the same name, so that Dataflow refuses to start a job while the last one still runs.
        jobName              = "${var.name}-${each.key}"
        containerSpecGcsPath = "${local.templates}/${each.key}.json"
        parameters           = { for name, value in each.value.flags : name => tostring(value) if value != null }
        environment = {
          for name, value in {
            sdkContainerImage    = local.image
            serviceAccountEmail  = each.value.account.email
            tempLocation         = "${local.temp}/${each.key}/temp"
            stagingLocation      = "${local.temp}/${each.key}/staging"
            machineType          = each.value.workers.machine_type
            maxWorkers           = each.value.workers.max
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
