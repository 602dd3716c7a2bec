# Tables and views are in tables.tf.json, which `make generate` writes from schemas/.

locals {
  dataset_id = coalesce(var.dataset, replace(var.name, "-", "_"))
  dataset    = "${google_bigquery_dataset.published.project}.${google_bigquery_dataset.published.dataset_id}"
  restricted = "${google_bigquery_dataset.restricted.project}.${google_bigquery_dataset.restricted.dataset_id}"
}

# What analysts read. Nothing in it is exact, and no view in it reads the restricted dataset.
resource "google_bigquery_dataset" "published" {
  dataset_id  = local.dataset_id
  description = "What people use conversations for, in groups large enough to publish, and with noise. It has no text, no ids and no exact count."
  location    = coalesce(var.location, var.region)
  labels      = local.labels

  # Listed here because every viewer of the project may read a dataset without a list. All others get
  # access table by table, in iam.tf.
  access {
    role          = "OWNER"
    special_group = "projectOwners"
  }

  depends_on = [google_project_service.apis]
}

# Exact counts, down to single conversations. The programs derive its name from the other one's.
resource "google_bigquery_dataset" "restricted" {
  dataset_id  = "${local.dataset_id}_counts"
  description = "Exact counts, the ledger and dead letters. Restricted: a count may be of one person."
  location    = coalesce(var.location, var.region)
  labels      = local.labels

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
    ledger      = "every 1 hours"
    backfill    = "every 1 hours"
    publication = "every 1 hours"
  }
}

resource "google_bigquery_data_transfer_config" "check" {
  for_each = local.checks

  display_name         = "${var.name} check: ${each.key}"
  data_source_id       = "scheduled_query"
  location             = google_bigquery_dataset.restricted.location
  schedule             = each.value
  service_account_name = google_service_account.checks.email

  params = {
    query = templatefile("${path.module}/checks/${each.key}.sql", {
      dataset               = local.dataset
      restricted            = local.restricted
      ledger_grace_min      = var.thresholds.ledger_grace_min
      backfill_age_hours    = var.thresholds.backfill_age_hours
      publication_age_hours = var.thresholds.publication_age_hours
    })
  }

  depends_on = [
    google_bigquery_table.ledger,
    google_bigquery_table.publications,
    google_bigquery_table_iam_member.checks,
    google_project_iam_member.checks,
    google_service_account_iam_member.data_transfer,
  ]
}

# Upkeep of the append-only tables: deletes rows that no view shows any more. Partitions of the other
# tables expire by themselves.

locals {
  # A stream changes a day for this long after its end, and a little longer; see pipelines/settings.py.
  conversation_life = regex("^([0-9.]+)([smhd])$", coalesce(var.stream.conversation_life, "28d"))
  settled_days      = 4 + ceil(tonumber(local.conversation_life[0]) * { s = 1, m = 60, h = 3600, d = 86400 }[local.conversation_life[1]] / 86400)

  upkeep = {
    counts     = "every sunday 04:00"
    candidates = "every sunday 04:00"
    ledger     = "every day 04:00"
  }
}

resource "google_bigquery_data_transfer_config" "upkeep" {
  for_each = local.upkeep

  display_name         = "${var.name} upkeep: ${each.key}"
  data_source_id       = "scheduled_query"
  location             = google_bigquery_dataset.restricted.location
  schedule             = each.value
  service_account_name = google_service_account.upkeep.email

  params = {
    query = templatefile("${path.module}/upkeep/${each.key}.sql", {
      restricted   = local.restricted
      settled_days = local.settled_days
      ledger_days  = var.keep_days.ledger
    })
  }

  depends_on = [
    google_bigquery_table.candidates_current,
    google_bigquery_table.counts_current,
    google_bigquery_table.ledger,
    google_bigquery_table_iam_member.upkeep,
    google_project_iam_member.upkeep,
    google_service_account_iam_member.data_transfer,
  ]
}
