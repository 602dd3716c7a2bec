# Copy it to terraform.tfvars and put in your own values. Everything else has a default; variables.tf
# explains each variable.

project = "my-project"
region  = "europe-west1"

# Datasets may also be in a multi-region. You can't change it later.
# location = "EU"

# Leave it out of the first apply, which makes the places for the image and the templates. Then:
# release = "0.1.0"

# Who may read what.
analysts  = "group:analysts@example.com"            # What is published, and nothing else.
operators = "group:undertone-operators@example.com" # Exact counts, ledger and dead letters too.
erasers   = "group:privacy@example.com"             # May erase a user's conversations.

# Who gets the alerts.
notify = "oncall@example.com"

# How published numbers are protected.
publishing = {
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
