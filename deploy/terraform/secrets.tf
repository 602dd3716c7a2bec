# The key with which senders turn user ids into pseudonyms (HMAC). The job needs no secret: it sees only
# pseudonyms, and whoever runs it can't tell whose they are. Add the first version by hand, so that the
# key is never in Terraform's state. A new key makes every user look new: see deploy/runbook.md.
resource "google_secret_manager_secret" "pseudonym_key" {
  secret_id = "${var.name}-pseudonym-key"
  labels    = local.labels

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  # Secret Manager does not rotate the key itself. It publishes a message here when it is time.
  topics {
    name = google_pubsub_topic.rotation.id
  }

  dynamic "rotation" {
    for_each = var.next_key_rotation == null ? [] : [var.next_key_rotation]

    content {
      next_rotation_time = rotation.value
      rotation_period    = "31536000s"
    }
  }

  depends_on = [google_project_service.apis, google_pubsub_topic_iam_member.secret_manager]
}

resource "google_pubsub_topic" "rotation" {
  name   = "${var.name}-key-rotation"
  labels = local.labels

  depends_on = [google_project_service.apis]
}
