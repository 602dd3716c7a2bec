output "topic" {
  description = "Where senders publish events."
  value       = google_pubsub_topic.events.id
}

output "publisher" {
  description = "Account that senders publish as."
  value       = google_service_account.publisher.email
}

output "pseudonym_key" {
  description = "Secret that holds the senders' key; add its first version by hand."
  value       = google_secret_manager_secret.pseudonym_key.id
}

output "subscription" {
  description = "What the stream reads, and what is sought back for a replay."
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
  description = "Pattern of the archive, for pipelines.backfill --input."
  value       = local.archive_pattern
}

output "dataset" {
  description = "Where the figures are, for --dataset."
  value       = local.dataset
}

output "repository" {
  description = "Where the image goes: _REPOSITORY of deploy/cloudbuild.yaml."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "builder" {
  description = "Account that builds: --service-account of gcloud builds submit."
  value       = google_service_account.build.id
}

output "build_staging" {
  description = "Where the sources of a build go: --gcs-source-staging-dir of gcloud builds submit."
  value       = "gs://${google_storage_bucket.temp.name}/build"
}

output "templates" {
  description = "Bucket of the templates: _TEMPLATES of deploy/cloudbuild.yaml."
  value       = google_storage_bucket.templates.name
}

output "dashboard" {
  description = "The dashboard."
  value       = google_monitoring_dashboard.undertone.id
}
