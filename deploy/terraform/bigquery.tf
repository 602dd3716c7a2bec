# Tables and views are in tables.tf.json, which `make generate` writes from schemas/.

locals {
  dataset = "${google_bigquery_dataset.undertone.project}.${google_bigquery_dataset.undertone.dataset_id}"
}

resource "google_bigquery_dataset" "undertone" {
  dataset_id  = replace(var.name, "-", "_")
  description = "What conversations are for, in groups large enough to be published. No text, no conversation."
  location    = coalesce(var.location, var.region)
  labels      = local.labels

  # Listed here, because a dataset left alone is readable by every viewer of the project, dead
  # letters included. Everybody else is let in table by table, in iam.tf.
  access {
    role          = "OWNER"
    special_group = "projectOwners"
  }

  # A load of many files makes tables of its own on the way.
  access {
    role          = "WRITER"
    user_by_email = google_service_account.backfill.email
  }

  depends_on = [google_project_service.apis]
}

# Checks that no metric can make: each is a query that ends in an error if what it asserts does not
# hold. A failed run is what the alert of its name waits for.

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
