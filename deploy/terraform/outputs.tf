output "topic" {
  description = "Where senders publish events."
  value       = google_pubsub_topic.events.id
}

output "sender" {
  description = "Account that senders publish events as."
  value       = google_service_account.sender.email
}

output "pseudonym_key" {
  description = "Secret with the senders' key. Add its first version by hand."
  value       = google_secret_manager_secret.pseudonym_key.id
}

output "id_key" {
  description = "Secret with which the jobs hash ids and draw noise. Add its first version by hand. With /versions/<number> at its end it is the flag --secret."
  value       = google_secret_manager_secret.id_key.id
}

output "subscription" {
  description = "Subscription that the stream reads. Seek it back for a replay."
  value       = google_pubsub_subscription.stream.id
}

output "dead_letters" {
  description = "Subscription of the dead letters."
  value       = google_pubsub_subscription.out["dead-letters"].id
}

output "alerts" {
  description = "Subscription of the conversations that grow long."
  value       = google_pubsub_subscription.out["alerts"].id
}

output "archive" {
  description = "Pattern of the archive's files, for pipelines.backfill --input."
  value       = local.archive_pattern
}

output "dataset" {
  description = "Dataset with what is published, for --dataset."
  value       = local.dataset
}

output "restricted_dataset" {
  description = "Dataset with the exact counts, the ledger and the dead letters."
  value       = local.restricted
}

output "eraser" {
  description = "Account that undertone forget runs as."
  value       = google_service_account.eraser.email
}

output "repository" {
  description = "Repository of the image: _REPOSITORY of deploy/cloudbuild.yaml."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "builder" {
  description = "Account that runs builds: --service-account of gcloud builds submit."
  value       = google_service_account.build.id
}

output "build_staging" {
  description = "Folder for a build's sources: --gcs-source-staging-dir of gcloud builds submit."
  value       = "gs://${google_storage_bucket.temp.name}/build"
}

output "templates" {
  description = "Bucket of the templates: _TEMPLATES of deploy/cloudbuild.yaml."
  value       = google_storage_bucket.templates.name
}

output "dashboard" {
  description = "Id of the dashboard."
  value       = google_monitoring_dashboard.undertone.id
}
