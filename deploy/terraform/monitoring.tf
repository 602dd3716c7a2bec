# Metrics and alerts. Each alert names the section of deploy/runbook.md that says what to do.

locals {
  job = "${var.name}-stream"

  # The job's counters, as Dataflow names them. A distribution becomes four of them.
  counter   = "dataflow_googleapis_com:job_user_counter"
  published = "pubsub_googleapis_com:topic_send_message_operation_count"

  channels = [for channel in google_monitoring_notification_channel.email : channel.id]
}

resource "google_monitoring_notification_channel" "email" {
  count = var.notify == null ? 0 : 1

  display_name = "${var.name}: e-mail"
  type         = "email"
  labels       = { email_address = var.notify }

  depends_on = [google_project_service.apis]
}

# Metrics from log lines. A worker logs each reason at most once a minute, so these do not count records.
# The job's counters and the ledger do.

resource "google_logging_metric" "dead_letter_lines" {
  name        = "${var.name}/dead_letter_lines"
  description = "Log lines about dead letters, by reason: at most one per minute, worker and reason."
  filter      = <<-EOT
    resource.type="dataflow_step"
    resource.labels.job_name="${local.job}"
    jsonPayload.message:"\"event\": \"dead_letter\""
  EOT

  label_extractors = {
    reason = "REGEXP_EXTRACT(jsonPayload.message, \"\\\"reason\\\": \\\"([a-z_]+)\\\"\")"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key        = "reason"
      value_type = "STRING"
    }
  }

  depends_on = [google_project_service.apis]
}

resource "google_logging_metric" "refused_row_lines" {
  name        = "${var.name}/refused_row_lines"
  description = "Log lines about rows that a table refused, by table: at most one per minute and worker."
  filter      = <<-EOT
    resource.type="dataflow_step"
    resource.labels.job_name="${local.job}"
    jsonPayload.message:"\"event\": \"row_refused\""
  EOT

  label_extractors = {
    table = "REGEXP_EXTRACT(jsonPayload.message, \"\\\"table\\\": \\\"([a-z_]+)\\\"\")"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key        = "table"
      value_type = "STRING"
    }
  }

  depends_on = [google_project_service.apis]
}

resource "google_logging_metric" "model_drift_lines" {
  name        = "${var.name}/model_drift_lines"
  description = "Rates of the classifier that differ from what was measured before, by what it decides."
  filter      = <<-EOT
    resource.type="dataflow_step"
    resource.labels.job_name=~"^${var.name}-publish"
    jsonPayload.message:"\"event\": \"model_drift\""
  EOT

  label_extractors = {
    measure = "REGEXP_EXTRACT(jsonPayload.message, \"\\\"measure\\\": \\\"([a-z_]+)\\\"\")"
    value   = "REGEXP_EXTRACT(jsonPayload.message, \"\\\"value\\\": \\\"([a-z_]+)\\\"\")"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key        = "measure"
      value_type = "STRING"
    }

    labels {
      key        = "value"
      value_type = "STRING"
    }
  }

  depends_on = [google_project_service.apis]
}

resource "google_logging_metric" "failed_checks" {
  for_each = google_bigquery_data_transfer_config.check

  name        = "${var.name}/failed_checks/${each.key}"
  description = "Runs of the scheduled query ${each.value.display_name} that ended in an error."
  filter      = <<-EOT
    resource.type="bigquery_dts_config"
    resource.labels.config_id="${basename(each.value.id)}"
    severity>=ERROR
  EOT

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

resource "google_logging_metric" "failed_upkeep" {
  name        = "${var.name}/failed_upkeep"
  description = "Runs of the upkeep's scheduled queries that ended in an error."
  filter      = <<-EOT
    resource.type="bigquery_dts_config"
    resource.labels.config_id=(${join(" OR ", [for one in google_bigquery_data_transfer_config.upkeep : "\"${basename(one.id)}\""])})
    severity>=ERROR
  EOT

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

# Alerts on metrics (`alerts`, as PromQL queries) and on log lines (`log_alerts`). Dataflow acknowledges a
# message once its first stage is done with it, so the oldest unacknowledged message does not show that
# BigQuery is down. The watermark and the rows that BigQuery took do.

locals {
  alerts = {
    oldest-unacked = {
      title    = "Stream or archive is behind: oldest unacknowledged message"
      severity = "CRITICAL"
      duration = "300s"
      query    = <<-EOT
        max by (subscription_id) (pubsub_googleapis_com:subscription_oldest_unacked_message_age{subscription_id=~"${google_pubsub_subscription.stream.name}|${google_pubsub_subscription.archive.name}"})
          > ${var.thresholds.oldest_unacked_s}
      EOT
    }

    watermark-lag = {
      title    = "The stream is slow or stuck: watermark"
      severity = "CRITICAL"
      duration = "600s"
      query    = <<-EOT
        max(dataflow_googleapis_com:job_data_watermark_age{job_name="${local.job}"})
          > ${var.thresholds.watermark_age_s}
      EOT
    }

    dead-letter-rate = {
      title    = "Too many events are refused"
      severity = "WARNING"
      duration = "300s"
      query    = <<-EOT
        sum(increase(${local.published}{topic_id="${google_pubsub_topic.out["dead-letters"].name}"}[15m]))
          / sum(increase(${local.published}{topic_id="${google_pubsub_topic.events.name}"}[15m]))
          > ${var.thresholds.dead_letter_rate}
      EOT
    }

    undeliverable = {
      title    = "The archive lacks messages"
      severity = "CRITICAL"
      duration = "0s"
      query    = <<-EOT
        sum(increase(${local.published}{topic_id="${google_pubsub_topic.undeliverable.name}"}[15m])) > 0
      EOT
    }

    missing-rows = {
      title    = "Events come in but BigQuery takes no row of the ledger"
      severity = "CRITICAL"
      duration = "300s"
      query    = <<-EOT
        (sum(delta(${local.counter}{job_name="${local.job}", metric_name="written_rows/ledger"}[${var.thresholds.missing_rows_min}m])) or vector(0)) == 0
          and
        (sum(increase(${local.published}{topic_id="${google_pubsub_topic.events.name}"}[${var.thresholds.missing_rows_min}m])) or vector(0)) > 0
      EOT
    }

    counting-silence = {
      title    = "Events come in but no counts are written"
      severity = "CRITICAL"
      duration = "300s"
      query    = <<-EOT
        (sum(delta(${local.counter}{job_name="${local.job}", metric_name="written_rows/counts"}[${var.thresholds.silence_minutes}m])) or vector(0)) == 0
          and
        (sum(increase(${local.published}{topic_id="${google_pubsub_topic.events.name}"}[${var.thresholds.silence_minutes}m])) or vector(0)) > 0
      EOT
    }

    job-failed = {
      title    = "A job has failed"
      severity = "CRITICAL"
      duration = "0s"
      query    = <<-EOT
        max by (job_name) (dataflow_googleapis_com:job_is_failed{job_name=~"${var.name}-(stream|backfill|judge|publish).*"}) > 0
      EOT
    }
  }

  log_alerts = {
    ledger-imbalance = {
      title    = "The ledger does not balance"
      severity = "CRITICAL"
      metric   = google_logging_metric.failed_checks["ledger"].name
      resource = "bigquery_dts_config"
    }

    backfill-missing = {
      title    = "No backfill has succeeded for too long"
      severity = "WARNING"
      metric   = google_logging_metric.failed_checks["backfill"].name
      resource = "bigquery_dts_config"
    }

    publication-missing = {
      title    = "Nothing was published for too long"
      severity = "WARNING"
      metric   = google_logging_metric.failed_checks["publication"].name
      resource = "bigquery_dts_config"
    }

    upkeep-failed = {
      title    = "Superseded rows are not deleted"
      severity = "WARNING"
      metric   = google_logging_metric.failed_upkeep.name
      resource = "bigquery_dts_config"
    }

    model-drift = {
      title    = "The classifier does not do what was measured"
      severity = "WARNING"
      metric   = google_logging_metric.model_drift_lines.name
      resource = "dataflow_step"
    }

    refused-rows = {
      title    = "A table refuses rows"
      severity = "CRITICAL"
      metric   = google_logging_metric.refused_row_lines.name
      resource = "dataflow_step"
    }
  }
}

resource "google_monitoring_alert_policy" "query" {
  for_each = local.has_jobs ? local.alerts : {}

  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = each.value.title

    condition_prometheus_query_language {
      query               = each.value.query
      duration            = each.value.duration
      evaluation_interval = "60s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Runbook: deploy/runbook.md#alert-${each.key}"
  }
}

resource "google_monitoring_alert_policy" "log" {
  for_each = local.has_jobs ? local.log_alerts : {}

  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = each.value.title

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${each.value.metric}\" AND resource.type=\"${each.value.resource}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }

      trigger {
        count = 1
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Runbook: deploy/runbook.md#alert-${each.key}"
  }
}
