locals {
  # Title, unit and PromQL queries of each chart, in reading order.
  charts = [
    {
      title = "Throughput, events per second"
      unit  = "1/s"
      lines = {
        published = "sum(rate(${local.published}{topic_id=\"${google_pubsub_topic.events.name}\"}[5m]))"
        read      = "sum(rate(${local.counter}{job_name=\"${local.job}\", metric_name=\"read\"}[5m]))"
        counted   = "sum(rate(${local.counter}{job_name=\"${local.job}\", metric_name=\"counted\"}[5m]))"
      }
    },
    {
      title = "Oldest unacknowledged message"
      unit  = "s"
      lines = {
        stream  = "max(pubsub_googleapis_com:subscription_oldest_unacked_message_age{subscription_id=\"${google_pubsub_subscription.stream.name}\"})"
        archive = "max(pubsub_googleapis_com:subscription_oldest_unacked_message_age{subscription_id=\"${google_pubsub_subscription.archive.name}\"})"
      }
    },
    {
      title = "Age of the watermark"
      unit  = "s"
      lines = {
        watermark = "max(dataflow_googleapis_com:job_data_watermark_age{job_name=\"${local.job}\"})"
        system    = "max(dataflow_googleapis_com:job_system_lag{job_name=\"${local.job}\"})"
      }
    },
    {
      title = "Dead letters, by reason"
      unit  = "1/s"
      lines = {
        refused = "sum by (metric_name) (rate(${local.counter}{job_name=\"${local.job}\", metric_name=~\"dead_letter/.*\"}[5m]))"
        logged  = "sum by (reason) (rate(logging_googleapis_com:user_${replace(google_logging_metric.dead_letter_lines.name, "/[^a-zA-Z0-9_]/", "_")}[5m]))"
      }
    },
    {
      title = "Ledger: read and under way"
      unit  = "1"
      lines = {
        under_way = "sum(${local.counter}{job_name=\"${local.job}\", metric_name=\"read\"}) - sum(${local.counter}{job_name=\"${local.job}\", metric_name=~\"(counted|duplicate|sampled|system_turn|late)(/.*)?|dead_letter/.*\"})"
      }
    },
    {
      title = "Rows counted and written"
      unit  = "1/min"
      lines = {
        counted = "sum(delta(${local.counter}{job_name=\"${local.job}\", metric_name=\"rows\"}[1m]))"
        written = "sum(delta(${local.counter}{job_name=\"${local.job}\", metric_name=\"written_rows/counts\"}[1m]))"
        ledger  = "sum(delta(${local.counter}{job_name=\"${local.job}\", metric_name=\"written_rows/ledger\"}[1m]))"
      }
    },
    {
      title = "State per conversation"
      unit  = "By"
      lines = {
        mean    = "max(${local.counter}{job_name=\"${local.job}\", metric_name=\"state_bytes_MEAN\"})"
        largest = "max(${local.counter}{job_name=\"${local.job}\", metric_name=\"state_bytes_MAX\"})"
      }
    },
    {
      title = "Backfills and publications: vCPUs and failures"
      unit  = "1"
      lines = {
        processors = "sum(dataflow_googleapis_com:job_current_num_vcpus{job_name=~\"${var.name}-(backfill|judge|publish).*\"})"
        failed     = "sum(dataflow_googleapis_com:job_is_failed{job_name=~\"${var.name}-(backfill|judge|publish).*\"})"
      }
    },
  ]
}

resource "google_monitoring_dashboard" "undertone" {
  dashboard_json = jsonencode({
    displayName = "${var.name}: stream, backfill, judging job and publisher"
    mosaicLayout = {
      columns = 12
      tiles = [
        for number, chart in local.charts : {
          xPos   = (number % 2) * 6
          yPos   = floor(number / 2) * 4
          width  = 6
          height = 4
          widget = {
            title = chart.title
            xyChart = {
              dataSets = [
                for name, query in chart.lines : {
                  legendTemplate  = name
                  plotType        = "LINE"
                  targetAxis      = "Y1"
                  timeSeriesQuery = { prometheusQuery = query, unitOverride = chart.unit }
                }
              ]
              yAxis = { scale = "LINEAR" }
            }
          }
        }
      ]
    }
  })

  depends_on = [google_project_service.apis]
}
