# Copy it to terraform.tfvars and change what is yours. Everything else has a default; variables.tf
# says what it means.

project = "my-project"
region  = "europe-west1"

# Multi-regions hold a dataset as well; the choice is for good.
# location = "EU"

# The first apply leaves it out, and makes what the image and the templates are built into. Then:
# release = "0.1.0"

# Who may read what.
analysts            = "group:analysts@example.com"
dead_letter_readers = "group:undertone-operators@example.com"

# Who is woken.
notify = "oncall@example.com"

# How to count; the stream and the backfill alike.
counting = {
  min_users         = 15
  min_conversations = 15
}

# What the nightly backfill counts again.
backfill = {
  from = "9d"
  to   = "1d"
}

# Text is kept in the archive only, so long.
archive_days = 60
