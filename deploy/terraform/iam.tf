# Who may do what. Each role has an account, with rights only where it works. A right is granted in the
# whole project only if Google Cloud can't grant it any lower.

locals {
  workers = merge(local.judge, {
    stream   = google_service_account.stream.member
    backfill = google_service_account.backfill.member
    publish  = google_service_account.publisher.member
  })

  # Empty if nothing is judged.
  judge = { for account in google_service_account.judge : "judge" => account.member }

  # Who reads the key of ids. The publisher needs no key: counts hold the sums that noise is made from.
  hashers = merge(local.judge, {
    stream   = google_service_account.stream.member
    backfill = google_service_account.backfill.member
    eraser   = google_service_account.eraser.member
  })

  launched = merge({ for account in google_service_account.judge : "judge" => account.name }, {
    backfill = google_service_account.backfill.name
    publish  = google_service_account.publisher.name
  })

  # Who has a folder in the bucket for temporary files.
  folders = merge(local.workers, { build = google_service_account.build.member })
}

resource "google_service_account" "sender" {
  account_id   = "${var.name}-send"
  display_name = "Undertone: sends events"
  description  = "For the chat product. Publishes to the topic of events, and reads the key for users' pseudonyms."
}

resource "google_service_account" "stream" {
  account_id   = "${var.name}-stream"
  display_name = "Undertone: workers of the stream"
}

resource "google_service_account" "backfill" {
  account_id   = "${var.name}-backfill"
  display_name = "Undertone: workers of the backfill"
}

resource "google_service_account" "judge" {
  count = var.judging == null ? 0 : 1

  account_id   = "${var.name}-judge"
  display_name = "Undertone: worker of the judging job"
  description  = "Reads the archive, and sends sampled conversations to the judge."
}

resource "google_service_account" "publisher" {
  account_id   = "${var.name}-publish"
  display_name = "Undertone: workers of the publisher"
}

resource "google_service_account" "scheduler" {
  account_id   = "${var.name}-sched"
  display_name = "Undertone: launches the scheduled jobs"
}

resource "google_service_account" "checks" {
  account_id   = "${var.name}-checks"
  display_name = "Undertone: asks the ledger whether it balances"
}

resource "google_service_account" "upkeep" {
  account_id   = "${var.name}-upkeep"
  display_name = "Undertone: deletes superseded rows"
}

resource "google_service_account" "eraser" {
  account_id   = "${var.name}-eraser"
  display_name = "Undertone: erases a user"
  description  = "For undertone forget. People act as this account; no job does."
}

resource "google_service_account" "build" {
  account_id   = "${var.name}-build"
  display_name = "Undertone: builds image and templates"
}

# The sender.

resource "google_pubsub_topic_iam_member" "sender" {
  topic  = google_pubsub_topic.events.id
  role   = "roles/pubsub.publisher"
  member = google_service_account.sender.member
}

resource "google_secret_manager_secret_iam_member" "sender" {
  secret_id = google_secret_manager_secret.pseudonym_key.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.sender.member
}

# Whoever hashes ids.

resource "google_secret_manager_secret_iam_member" "id_key" {
  for_each = local.hashers

  secret_id = google_secret_manager_secret.id_key.id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value
}

# The stream reads its subscription, and writes its tables and topics. It can't open the archive.

resource "google_pubsub_subscription_iam_member" "stream" {
  for_each = toset(["roles/pubsub.subscriber", "roles/pubsub.viewer"])

  subscription = google_pubsub_subscription.stream.id
  role         = each.key
  member       = google_service_account.stream.member
}

resource "google_pubsub_topic_iam_member" "stream" {
  for_each = google_pubsub_topic.out

  topic  = each.value.id
  role   = "roles/pubsub.publisher"
  member = google_service_account.stream.member
}

resource "google_bigquery_table_iam_member" "stream" {
  for_each = toset(["counts", "candidates", "ledger", "dead_letters"])

  dataset_id = google_bigquery_dataset.restricted.dataset_id
  table_id   = local.restricted_tables[each.key]
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.stream.member
}

resource "google_project_iam_member" "stream" {
  project = var.project
  role    = "roles/dataflow.worker"
  member  = google_service_account.stream.member
}

# To follow event times, Dataflow makes a second subscription of its own.
resource "google_project_iam_custom_role" "event_times" {
  count = var.stream.timestamp_attribute == null ? 0 : 1

  role_id     = "${replace(var.name, "-", "_")}_event_times"
  title       = "Undertone: follow event times"
  description = "Lets the stream's workers make, read and delete the subscription that Dataflow tracks event times with."
  permissions = [
    "pubsub.subscriptions.consume",
    "pubsub.subscriptions.create",
    "pubsub.subscriptions.delete",
    "pubsub.subscriptions.get",
  ]
}

resource "google_project_iam_member" "event_times" {
  count = var.stream.timestamp_attribute == null ? 0 : 1

  project = var.project
  role    = google_project_iam_custom_role.event_times[0].id
  member  = google_service_account.stream.member
}

resource "google_pubsub_topic_iam_member" "event_times" {
  count = var.stream.timestamp_attribute == null ? 0 : 1

  topic  = google_pubsub_topic.events.id
  role   = "roles/pubsub.subscriber"
  member = google_service_account.stream.member
}

# The backfill reads the archive and loads the restricted tables. Its right to write their dataset is in
# bigquery.tf.

resource "google_storage_bucket_iam_member" "archive" {
  bucket = google_storage_bucket.archive.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.backfill.member
}

resource "google_project_iam_member" "backfill" {
  for_each = toset(["roles/dataflow.worker", "roles/bigquery.jobUser"])

  project = var.project
  role    = each.key
  member  = google_service_account.backfill.member
}

# The judging job reads candidates and the archive, and writes samples and judgements. Without it, none of
# these rights exists.

resource "google_storage_bucket_iam_member" "judge" {
  for_each = local.judge

  bucket = google_storage_bucket.archive.name
  role   = "roles/storage.objectViewer"
  member = each.value
}

resource "google_bigquery_table_iam_member" "judge_reads" {
  for_each = var.judging == null ? {} : {
    candidates         = local.restricted_tables["candidates"]
    candidates_current = local.restricted_views["candidates_current"]
    sample_current     = local.restricted_views["sample_current"]
    judgements_current = local.restricted_views["judgements_current"]
  }

  dataset_id = google_bigquery_dataset.restricted.dataset_id
  table_id   = each.value
  role       = "roles/bigquery.dataViewer"
  member     = local.judge["judge"]
}

resource "google_bigquery_table_iam_member" "judge_writes" {
  for_each = var.judging == null ? toset([]) : toset(["sample", "judgements"])

  dataset_id = google_bigquery_dataset.restricted.dataset_id
  table_id   = local.restricted_tables[each.key]
  role       = "roles/bigquery.dataEditor"
  member     = local.judge["judge"]
}

resource "google_project_iam_member" "judge" {
  for_each = var.judging == null ? toset([]) : toset(["roles/dataflow.worker", "roles/bigquery.jobUser"])

  project = var.project
  role    = each.key
  member  = local.judge["judge"]
}

resource "google_secret_manager_secret_iam_member" "judge_key" {
  for_each = var.judge_key_version == null ? {} : local.judge

  secret_id = google_secret_manager_secret.judge_key[0].id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value
}

# The publisher reads exact counts and judgements, and writes what is published and what it was made from.

resource "google_bigquery_table_iam_member" "publisher_reads" {
  for_each = {
    counts             = local.restricted_tables["counts"]
    counts_current     = local.restricted_views["counts_current"]
    sample             = local.restricted_tables["sample"]
    sample_current     = local.restricted_views["sample_current"]
    judgements         = local.restricted_tables["judgements"]
    judgements_current = local.restricted_views["judgements_current"]
  }

  dataset_id = google_bigquery_dataset.restricted.dataset_id
  table_id   = each.value
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.publisher.member
}

resource "google_bigquery_table_iam_member" "publisher_bases" {
  dataset_id = google_bigquery_dataset.restricted.dataset_id
  table_id   = google_bigquery_table.bases.table_id
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.publisher.member
}

resource "google_bigquery_table_iam_member" "publisher_writes" {
  for_each = local.published_tables

  dataset_id = google_bigquery_dataset.published.dataset_id
  table_id   = each.value
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.publisher.member
}

resource "google_project_iam_member" "publisher" {
  for_each = toset(["roles/dataflow.worker", "roles/bigquery.jobUser"])

  project = var.project
  role    = each.key
  member  = google_service_account.publisher.member
}

# Workers and builds each have a folder in the bucket for temporary files.

resource "google_storage_bucket_iam_member" "folders" {
  for_each = local.folders

  bucket = google_storage_bucket.temp.name
  role   = "roles/storage.objectAdmin"
  member = each.value

  condition {
    title      = "own folder"
    expression = "resource.type != 'storage.googleapis.com/Object' || resource.name.startsWith('projects/_/buckets/${google_storage_bucket.temp.name}/objects/${each.key}/')"
  }
}

resource "google_storage_bucket_iam_member" "temp" {
  for_each = local.folders

  bucket = google_storage_bucket.temp.name
  role   = "roles/storage.legacyBucketReader"
  member = each.value
}

resource "google_storage_bucket_iam_member" "templates" {
  for_each = local.workers

  bucket = google_storage_bucket.templates.name
  role   = "roles/storage.objectViewer"
  member = each.value
}

resource "google_artifact_registry_repository_iam_member" "workers" {
  for_each = local.workers

  repository = google_artifact_registry_repository.images.id
  role       = "roles/artifactregistry.reader"
  member     = each.value
}

# The build writes the image and the templates, which launches and workers read.

resource "google_artifact_registry_repository_iam_member" "build" {
  repository = google_artifact_registry_repository.images.id
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

resource "google_storage_bucket_iam_member" "build" {
  bucket = google_storage_bucket.templates.name
  role   = "roles/storage.objectUser"
  member = google_service_account.build.member
}

resource "google_project_iam_member" "build" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

# The scheduler may launch jobs, but only under the accounts of the scheduled jobs.

resource "google_project_iam_member" "scheduler" {
  project = var.project
  role    = "roles/dataflow.developer"
  member  = google_service_account.scheduler.member
}

resource "google_service_account_iam_member" "scheduler" {
  for_each = local.launched

  service_account_id = each.value
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.scheduler.member
}

resource "google_storage_bucket_iam_member" "scheduler" {
  bucket = google_storage_bucket.templates.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.scheduler.member
}

# The checks read the ledger and the receipts of publications.

resource "google_bigquery_table_iam_member" "checks" {
  for_each = {
    ledger       = google_bigquery_table.ledger
    publications = google_bigquery_table.publications
  }

  dataset_id = each.value.dataset_id
  table_id   = each.value.table_id
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.checks.member
}

resource "google_project_iam_member" "checks" {
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = google_service_account.checks.member
}

# The upkeep deletes rows that no view shows any more.

resource "google_bigquery_table_iam_member" "upkeep" {
  for_each = {
    counts             = { table = local.restricted_tables["counts"], role = "roles/bigquery.dataEditor" }
    candidates         = { table = local.restricted_tables["candidates"], role = "roles/bigquery.dataEditor" }
    ledger             = { table = local.restricted_tables["ledger"], role = "roles/bigquery.dataEditor" }
    counts_current     = { table = local.restricted_views["counts_current"], role = "roles/bigquery.dataViewer" }
    candidates_current = { table = local.restricted_views["candidates_current"], role = "roles/bigquery.dataViewer" }
  }

  dataset_id = google_bigquery_dataset.restricted.dataset_id
  table_id   = each.value.table
  role       = each.value.role
  member     = google_service_account.upkeep.member
}

resource "google_project_iam_member" "upkeep" {
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = google_service_account.upkeep.member
}

resource "google_service_account_iam_member" "data_transfer" {
  for_each = {
    checks = google_service_account.checks.name
    upkeep = google_service_account.upkeep.name
  }

  service_account_id = each.value
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.agents["bigquerydatatransfer"]
}

# The eraser rewrites files of the archive, and deletes dead letters, sampled conversations and judgements.
# Only people may act as it.

resource "google_storage_bucket_iam_member" "eraser" {
  for_each = toset(["roles/storage.objectUser", "roles/storage.legacyBucketReader"])

  bucket = google_storage_bucket.archive.name
  role   = each.key
  member = google_service_account.eraser.member
}

resource "google_bigquery_table_iam_member" "eraser" {
  for_each = toset(["dead_letters", "sample", "judgements"])

  dataset_id = google_bigquery_dataset.restricted.dataset_id
  table_id   = local.restricted_tables[each.key]
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.eraser.member
}

resource "google_project_iam_member" "eraser" {
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = google_service_account.eraser.member
}

resource "google_service_account_iam_member" "erasers" {
  count = var.erasers == null ? 0 : 1

  service_account_id = google_service_account.eraser.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = var.erasers
}

# Pub/Sub itself writes the archive, and moves messages that it can't write to the undeliverable topic.

resource "google_storage_bucket_iam_member" "pubsub" {
  for_each = toset(["roles/storage.objectCreator", "roles/storage.legacyBucketReader"])

  bucket = google_storage_bucket.archive.name
  role   = each.key
  member = local.agents["pubsub"]
}

resource "google_pubsub_topic_iam_member" "pubsub" {
  topic  = google_pubsub_topic.undeliverable.id
  role   = "roles/pubsub.publisher"
  member = local.agents["pubsub"]
}

resource "google_pubsub_subscription_iam_member" "pubsub" {
  subscription = google_pubsub_subscription.archive.id
  role         = "roles/pubsub.subscriber"
  member       = local.agents["pubsub"]
}

# Secret Manager itself publishes a message when it is time for a new key.

resource "google_pubsub_topic_iam_member" "secret_manager" {
  topic  = google_pubsub_topic.rotation.id
  role   = "roles/pubsub.publisher"
  member = local.agents["secretmanager"]
}

# People. Analysts may read what is published, and nothing else; a table that is added later only once it
# is listed. Operators may also read exact counts, the ledger and dead letters.

resource "google_bigquery_table_iam_member" "analysts" {
  for_each = var.analysts == null ? {} : merge(local.published_tables, local.published_views)

  dataset_id = google_bigquery_dataset.published.dataset_id
  table_id   = each.value
  role       = "roles/bigquery.dataViewer"
  member     = var.analysts
}

resource "google_bigquery_table_iam_member" "operators_published" {
  for_each = var.operators == null ? {} : merge(local.published_tables, local.published_views)

  dataset_id = google_bigquery_dataset.published.dataset_id
  table_id   = each.value
  role       = "roles/bigquery.dataViewer"
  member     = var.operators
}

resource "google_bigquery_table_iam_member" "operators" {
  for_each = var.operators == null ? {} : merge(local.restricted_tables, local.restricted_views)

  dataset_id = google_bigquery_dataset.restricted.dataset_id
  table_id   = each.value
  role       = "roles/bigquery.dataViewer"
  member     = var.operators
}

resource "google_pubsub_subscription_iam_member" "readers" {
  for_each = {
    for name, reader in { dead-letters = var.operators, alerts = var.alert_readers } :
    name => reader if reader != null
  }

  subscription = google_pubsub_subscription.out[each.key].id
  role         = "roles/pubsub.subscriber"
  member       = each.value
}

resource "google_project_iam_member" "queries" {
  for_each = toset([for reader in [var.analysts, var.operators] : reader if reader != null])

  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = each.key
}
