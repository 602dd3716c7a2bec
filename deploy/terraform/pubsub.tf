# Events in.

resource "google_pubsub_schema" "event" {
  name       = "${var.name}-event"
  type       = "PROTOCOL_BUFFER"
  definition = file("${path.module}/../../schemas/conversation_event.proto")

  depends_on = [google_project_service.apis]
}

resource "google_pubsub_topic" "events" {
  name                       = "${var.name}-events"
  labels                     = local.labels
  message_retention_duration = var.retention

  dynamic "schema_settings" {
    for_each = var.enforced_encoding == null ? [] : [var.enforced_encoding]

    content {
      schema   = google_pubsub_schema.event.id
      encoding = schema_settings.value
    }
  }

  depends_on = [google_project_service.apis]
}

# The stream's subscription. It keeps acknowledged messages, so that seeking back to a time or a
# snapshot replays them. Take a snapshot with gcloud before an update: Terraform has no resource for it.
# There is no dead-letter or retry policy, because Dataflow supports neither: a diverted message would
# be missing from the ledger. See https://cloud.google.com/pubsub/docs/handling-failures.
resource "google_pubsub_subscription" "stream" {
  name                       = "${var.name}-stream"
  topic                      = google_pubsub_topic.events.id
  labels                     = local.labels
  ack_deadline_seconds       = 60
  message_retention_duration = var.retention
  retain_acked_messages      = true

  expiration_policy {
    ttl = "" # Never expires, even if no message comes.
  }
}

# The archive's subscription. Pub/Sub writes every message with its publish time and attributes, without
# a job.
resource "google_pubsub_subscription" "archive" {
  name                       = "${var.name}-archive"
  topic                      = google_pubsub_topic.events.id
  labels                     = local.labels
  ack_deadline_seconds       = 600
  message_retention_duration = var.retention

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.undeliverable.id
    max_delivery_attempts = var.max_delivery_attempts
  }

  cloud_storage_config {
    bucket                   = google_storage_bucket.archive.name
    filename_prefix          = "events/"
    filename_datetime_format = "YYYY/MM/DD/hh_mm_ssZ" # local.archive_pattern matches it.
    filename_suffix          = ".avro"
    max_duration             = "300s"

    avro_config {
      write_metadata = true
    }
  }

  depends_on = [google_storage_bucket_iam_member.pubsub]
}

# Gets the messages that Pub/Sub can't write to the archive.
resource "google_pubsub_topic" "undeliverable" {
  name                       = "${var.name}-undeliverable"
  labels                     = local.labels
  message_retention_duration = var.retention

  depends_on = [google_project_service.apis]
}

# Without a subscription, the topic would lose its messages.
resource "google_pubsub_subscription" "undeliverable" {
  name                       = "${var.name}-undeliverable"
  topic                      = google_pubsub_topic.undeliverable.id
  labels                     = local.labels
  message_retention_duration = var.retention

  expiration_policy {
    ttl = ""
  }
}

# Dead letters and alerts out. Neither contains text.

resource "google_pubsub_topic" "out" {
  for_each = toset(["dead-letters", "alerts"])

  name                       = "${var.name}-${each.key}"
  labels                     = local.labels
  message_retention_duration = var.retention

  depends_on = [google_project_service.apis]
}

resource "google_pubsub_subscription" "out" {
  for_each = google_pubsub_topic.out

  name                       = each.value.name
  topic                      = each.value.id
  labels                     = local.labels
  message_retention_duration = var.retention

  expiration_policy {
    ttl = ""
  }
}
