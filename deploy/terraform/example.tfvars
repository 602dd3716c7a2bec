# Copy it to terraform.tfvars and put in your own values. Everything else has a default; variables.tf
# explains each variable.

project = "my-project"
region  = "europe-west1"

# A dataset may also be in a multi-region. You can't change it later.
# location = "EU"

# Leave it out of the first apply, which makes the places for the image and the templates. Then:
# release = "0.1.0"

# Who may read what.
analysts            = "group:analysts@example.com"
dead_letter_readers = "group:undertone-operators@example.com"

# Who gets the alerts.
notify = "oncall@example.com"

# How the stream and the backfill count.
counting = {
  min_users         = 15
  min_conversations = 15
}

# The days that the nightly backfill counts again.
backfill = {
  from = "9d"
  to   = "1d"
}

# Days for which the archive keeps text. Nothing else keeps it.
archive_days = 60
