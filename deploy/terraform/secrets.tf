# Two secrets, and a third for a judge that needs one. Add their first versions by hand, so that no key is ever in Terraform's state. Secret
# Manager does not rotate a key by itself. It publishes a message when it is time; deploy/runbook.md says
# what to do, and what a new key changes.

# The key with which senders turn user ids into pseudonyms (HMAC). The jobs can't read it, so whoever
# runs them can't tell whose pseudonyms they see.
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

# The key with which stream and backfill hash all ids, and from which the noise of published numbers
# follows. Whoever has it can look up what a known id became, and can remove the noise.
resource "google_secret_manager_secret" "id_key" {
  secret_id = "${var.name}-id-key"
  labels    = local.labels

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

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

# The key of the endpoint of a language model that judges. Only the judging job reads it.
resource "google_secret_manager_secret" "judge_key" {
  count = var.judge_key_version == null ? 0 : 1

  secret_id = "${var.name}-judge-key"
  labels    = local.labels

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.apis]
}

resource "google_pubsub_topic" "rotation" {
  name   = "${var.name}-key-rotation"
  labels = local.labels

  depends_on = [google_project_service.apis]
}
