# Who may do what. Each role has an account, with rights only where it works. A right is granted in the
# whole project only if Google Cloud can't grant it any lower.

locals {
  workers = {
    stream   = google_service_account.stream.member
    backfill = google_service_account.backfill.member
  }

  # Who has a folder in the bucket for temporary files.
  folders = merge(local.workers, { build = google_service_account.build.member })
}

resource "google_service_account" "publisher" {
  account_id   = "${var.name}-pub"
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

resource "google_service_account" "scheduler" {
  account_id   = "${var.name}-sched"
  display_name = "Undertone: launches the backfill"
}

resource "google_service_account" "checks" {
  account_id   = "${var.name}-checks"
  display_name = "Undertone: asks the ledger whether it balances"
}

resource "google_service_account" "build" {
  account_id   = "${var.name}-build"
  display_name = "Undertone: builds image and templates"
}

# The sender.

resource "google_pubsub_topic_iam_member" "publisher" {
  topic  = google_pubsub_topic.events.id
  role   = "roles/pubsub.publisher"
  member = google_service_account.publisher.member
}

resource "google_secret_manager_secret_iam_member" "publisher" {
  secret_id = google_secret_manager_secret.pseudonym_key.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.publisher.member
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
  for_each = local.tables

  dataset_id = google_bigquery_dataset.undertone.dataset_id
  table_id   = each.value
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

# The backfill reads the archive and loads the tables. Its right to write the dataset is in bigquery.tf.

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

# The scheduler may launch jobs, but only under the backfill's account.

resource "google_project_iam_member" "scheduler" {
  project = var.project
  role    = "roles/dataflow.developer"
  member  = google_service_account.scheduler.member
}

resource "google_service_account_iam_member" "scheduler" {
  service_account_id = google_service_account.backfill.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.scheduler.member
}

resource "google_storage_bucket_iam_member" "scheduler" {
  bucket = google_storage_bucket.templates.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.scheduler.member
}

# The checks read the ledger.

resource "google_bigquery_table_iam_member" "checks" {
  dataset_id = google_bigquery_dataset.undertone.dataset_id
  table_id   = google_bigquery_table.ledger.table_id
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.checks.member
}

resource "google_project_iam_member" "checks" {
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = google_service_account.checks.member
}

resource "google_service_account_iam_member" "data_transfer" {
  service_account_id = google_service_account.checks.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.agents["bigquerydatatransfer"]
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

# People. Analysts may read each published table and view; a table that is added later only once it is
# listed. Dead letters contain ids, even if pseudonymous, so they have their own readers.

resource "google_bigquery_table_iam_member" "analysts" {
  for_each = var.analysts == null ? {} : {
    for name, table in merge(local.tables, local.views) : name => table if name != "dead_letters"
  }

  dataset_id = google_bigquery_dataset.undertone.dataset_id
  table_id   = each.value
  role       = "roles/bigquery.dataViewer"
  member     = var.analysts
}

resource "google_bigquery_table_iam_member" "dead_letter_readers" {
  count = var.dead_letter_readers == null ? 0 : 1

  dataset_id = google_bigquery_dataset.undertone.dataset_id
  table_id   = google_bigquery_table.dead_letters.table_id
  role       = "roles/bigquery.dataViewer"
  member     = var.dead_letter_readers
}

resource "google_pubsub_subscription_iam_member" "readers" {
  for_each = {
    for name, reader in { dead-letters = var.dead_letter_readers, alerts = var.alert_readers } :
    name => reader if reader != null
  }

  subscription = google_pubsub_subscription.out[each.key].id
  role         = "roles/pubsub.subscriber"
  member       = each.value
}

resource "google_project_iam_member" "queries" {
  for_each = toset([for reader in [var.analysts, var.dead_letter_readers] : reader if reader != null])

  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = each.key
}
