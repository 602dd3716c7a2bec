# Tables and views are in tables.tf.json, which `make generate` writes from schemas/.

locals {
  dataset = "${google_bigquery_dataset.undertone.project}.${google_bigquery_dataset.undertone.dataset_id}"
}

resource "google_bigquery_dataset" "undertone" {
  dataset_id  = replace(var.name, "-", "_")
  description = "What people use conversations for, in groups large enough to publish. It has no text and no single conversation."
  location    = coalesce(var.location, var.region)
  labels      = local.labels

  # Listed here because every viewer of the project may read a dataset without a list, dead letters
  # included. All others get access table by table, in iam.tf.
  access {
    role          = "OWNER"
    special_group = "projectOwners"
  }

  # A load of many files creates temporary tables of its own.
  access {
    role          = "WRITER"
    user_by_email = google_service_account.backfill.email
  }

  depends_on = [google_project_service.apis]
}

# Checks that no metric can make. Each is a query that ends in an error if its assertion is false. A
# failed run fires the alert of the same name.

locals {
  checks = {
    ledger   = "every 1 hours"
    backfill = "every 1 hours"
  }
}

resource "google_bigquery_data_transfer_config" "check" {
  for_each = local.checks

  display_name         = "${var.name} check: ${each.key}"
  data_source_id       = "scheduled_query"
  location             = google_bigquery_dataset.undertone.location
  schedule             = each.value
  service_account_name = google_service_account.checks.email

  params = {
    query = templatefile("${path.module}/checks/${each.key}.sql", {
      dataset            = local.dataset
      ledger_grace_min   = var.thresholds.ledger_grace_min
      backfill_age_hours = var.thresholds.backfill_age_hours
    })
  }

  depends_on = [
    google_bigquery_table.ledger,
    google_bigquery_table_iam_member.checks,
    google_project_iam_member.checks,
    google_service_account_iam_member.data_transfer,
  ]
}
