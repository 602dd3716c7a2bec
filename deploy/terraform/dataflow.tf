locals {
  has_jobs = var.release != null

  image = format(
    "%s-docker.pkg.dev/%s/%s/undertone:%s",
    var.region, var.project, google_artifact_registry_repository.images.repository_id, coalesce(var.release, "none"),
  )
  templates = "gs://${google_storage_bucket.templates.name}/${coalesce(var.release, "none")}"
  temp      = "gs://${google_storage_bucket.temp.name}"

  # Matches the files that the archive subscription writes, by the day of publication.
  archive_pattern = "gs://${google_storage_bucket.archive.name}/events/%Y/%m/%d/*.avro"

  # Maps old to new names of the stream's steps since the last release; see deploy/runbook.md.
  renamed_steps = jsondecode(file("${path.module}/../transform_name_mapping.json"))

  # The version is a number: with "latest", workers that start after a rotation would use another key.
  id_key = "${google_secret_manager_secret.id_key.id}/versions/${var.id_key_version}"

  # Every flag of each program, by name. A null is not passed.
  stream_flags = merge(var.counting, var.stream, {
    subscription      = google_pubsub_subscription.stream.id
    dataset           = local.dataset
    secret            = local.id_key
    dead_letter_topic = google_pubsub_topic.out["dead-letters"].id
    alert_topic       = google_pubsub_topic.out["alerts"].id
  })
  backfill_flags = merge(var.counting, var.backfill, {
    input   = local.archive_pattern
    dataset = local.dataset
    secret  = local.id_key
  })
  # The judging job counts nothing, but must find the messages of a conversation as they were counted.
  judge_flags = var.judging == null ? {} : merge(var.judging, {
    input              = local.archive_pattern
    dataset            = local.dataset
    secret             = local.id_key
    session_gap        = var.counting.session_gap
    allowed_lateness   = var.counting.allowed_lateness
    max_event_bytes    = var.counting.max_event_bytes
    judgements_per_day = var.counting.judgements_per_day
    margin             = var.backfill.margin
    judge_after        = var.publishing.publish_after
    judge_key          = one([for key in google_secret_manager_secret.judge_key : "${key.id}/versions/${var.judge_key_version}"])
  })
  publish_flags = merge(var.publishing, { dataset = local.dataset })
}

resource "terraform_data" "id_key_version" {
  input = var.id_key_version
}

resource "google_dataflow_flex_template_job" "stream" {
  provider = google-beta
  count    = local.has_jobs ? 1 : 0

  name                    = "${var.name}-stream"
  region                  = var.region
  container_spec_gcs_path = "${local.templates}/stream.json"
  parameters              = { for name, value in local.stream_flags : name => tostring(value) if value != null }
  labels                  = local.labels
  transform_name_mapping  = length(local.renamed_steps) == 0 ? null : local.renamed_steps

  sdk_container_image   = local.image
  service_account_email = google_service_account.stream.email
  temp_location         = "${local.temp}/stream/temp"
  staging_location      = "${local.temp}/stream/staging"
  machine_type          = var.stream_workers.machine_type
  num_workers           = var.stream_workers.min
  max_workers           = var.stream_workers.max
  network               = var.network
  subnetwork            = var.subnetwork
  ip_configuration      = "WORKER_IP_PRIVATE"
  # Without it, the launcher stages a list of its packages.
  additional_experiments = ["disable_logging_submission_environment"]

  # A cancelled stream loses what it has read but not written. A drained stream writes it first.
  on_delete = "drain"

  # State with hashes of two keys would count a user twice. So a new key begins without state.
  lifecycle {
    replace_triggered_by = [terraform_data.id_key_version]
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.workers,
    google_bigquery_table_iam_member.stream,
    google_project_iam_member.stream,
    google_pubsub_subscription_iam_member.stream,
    google_pubsub_topic_iam_member.stream,
    google_secret_manager_secret_iam_member.id_key,
    google_storage_bucket_iam_member.temp,
    google_storage_bucket_iam_member.templates,
    google_storage_bucket_iam_member.folders,
  ]
}
