# Where.

variable "project" {
  description = "Project that everything is made in."
  type        = string
}

variable "region" {
  description = "Region of the jobs, the buckets, the image and the schedules."
  type        = string
  default     = "europe-west1"
}

variable "location" {
  description = "Location of the datasets. Null means the region. It can't be changed later."
  type        = string
  default     = null
}

variable "name" {
  description = "Start of every resource's name. Two deployments in one project need two names."
  type        = string
  default     = "undertone"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,18}[a-z0-9]$", var.name))
    error_message = "name must be 4 to 20 lower-case letters, digits and hyphens, begin with a letter and not end with a hyphen, e.g. undertone."
  }
}

variable "dataset" {
  description = "Name of the dataset that analysts read. The exact counts are in a second one, with _counts at the end of its name. Null means the name of the deployment, with underscores."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^[A-Za-z0-9_]{1,1000}$", coalesce(var.dataset, "undertone")))
    error_message = "dataset must be letters, digits and underscores, e.g. undertone."
  }
}

variable "labels" {
  description = "Labels for every resource that can have labels."
  type        = map(string)
  default     = {}
}

variable "network" {
  description = "VPC network of the workers. If neither network nor subnetwork is given, it is the default network."
  type        = string
  default     = null
}

variable "subnetwork" {
  description = "Subnetwork of the workers, e.g. regions/europe-west1/subnetworks/workers. It needs Private Google Access: workers have no public address."
  type        = string
  default     = null
}

# What runs.

variable "release" {
  description = "Tag of the image and templates to run, e.g. 0.1.0. Null makes everything except the jobs and their alerts. Use null for the first apply: it makes the places that the first image and templates are built into."
  type        = string
  default     = null
}

variable "counting" {
  description = "Flags that say how the stream and the backfill count. Both get the same values, because a backfill replaces the stream's counts. Null means the flag's default; see python -m pipelines.stream --help."
  type = object({
    classifier                 = optional(string)
    session_gap                = optional(string)
    allowed_lateness           = optional(string)
    max_conversations_per_user = optional(number)
    judgements_per_day         = optional(number)
    max_event_bytes            = optional(number)
    values                     = optional(string)
  })
  default = {}
}

variable "stream" {
  description = "Flags that only pipelines.stream has. Null means the flag's default."
  type = object({
    timestamp_attribute = optional(string)
    firing_period       = optional(string)
    counts_period       = optional(string)
    conversation_life   = optional(string)
    outage              = optional(string)
  })
  default = {}
}

variable "backfill" {
  description = "Flags that only pipelines.backfill has, for the nightly run. Null means the flag's default; see python -m pipelines.backfill --help."
  type = object({
    from       = optional(string, "9d")
    to         = optional(string, "1d")
    margin     = optional(string)
    resume     = optional(bool)
    empty_days = optional(bool)
  })
  default = {}
}

variable "judging" {
  description = "Flags that only pipelines.judge has: who judges a sample of each day. Null means that nothing is judged, and that no account for it exists. A field that is null means the flag's default; see python -m pipelines.judge --help. With judge = \"llm\", the text of sampled conversations is sent to the endpoint that you name."
  type = object({
    judge         = optional(string, "accurate")
    days          = optional(number)
    settled       = optional(string)
    days_a_pass   = optional(number)
    retry_missing = optional(bool)

    # Only for judge = "llm".
    llm_model           = optional(string)
    llm_api             = optional(string)
    llm_url             = optional(string)
    concurrency         = optional(number)
    requests_per_minute = optional(number)
    request_timeout     = optional(string)
    price_in            = optional(number)
    price_out           = optional(number)
    max_cost            = optional(number)
    max_answer_tokens   = optional(number)
    first_messages      = optional(number)
    last_messages       = optional(number)
    message_characters  = optional(number)
  })
  default = null
}

variable "publishing" {
  description = "Flags of pipelines.publish: how published numbers are protected, and when. Null means the flag's default; see python -m pipelines.publish --help. A window that is published keeps its policy."
  type = object({
    min_users         = optional(number)
    min_conversations = optional(number)
    noise_variance    = optional(number)
    max_noise         = optional(number)
    max_values        = optional(number)
    publish_after     = optional(string)
    days              = optional(number)
    settled           = optional(string)
    rates             = optional(string)
  })
  default = {}
}

variable "backfill_schedule" {
  description = "When the backfill runs, in cron format and UTC. It must be so long after midnight that the archive of the last day is complete."
  type        = string
  default     = "30 2 * * *"
}

variable "judge_schedule" {
  description = "When the judging job runs, in cron format and UTC. It should be after the backfill's end and end before the publisher starts."
  type        = string
  default     = "30 4 * * *"
}

variable "publish_schedule" {
  description = "When the publisher runs, in cron format and UTC. It should be after the backfill's end."
  type        = string
  default     = "0 7 * * *"
}

variable "stream_workers" {
  description = "Machine type of the stream's workers, and the least and most workers."
  type = object({
    machine_type = optional(string, "n2-standard-2")
    min          = optional(number, 1)
    max          = optional(number, 10)
  })
  default = {}
}

variable "backfill_workers" {
  description = "Machine type of the backfill's workers, and the most workers."
  type = object({
    machine_type = optional(string, "n2-standard-4")
    max          = optional(number, 20)
  })
  default = {}
}

variable "judge_workers" {
  description = "Machine type of the judging job's worker, and the most workers. One process does all the work, so more workers would have nothing to do."
  type = object({
    machine_type = optional(string, "n2-highmem-2")
    max          = optional(number, 1)
  })
  default = {}
}

variable "publish_workers" {
  description = "Machine type of the publisher's workers, and the most workers."
  type = object({
    machine_type = optional(string, "n2-standard-2")
    max          = optional(number, 4)
  })
  default = {}
}

# Events.

variable "enforced_encoding" {
  description = "With BINARY or JSON, the topic takes only events of the schema in that encoding, and refuses others when they are sent. With null it takes both encodings, and a message that is not an event becomes a dead letter."
  type        = string
  default     = null

  validation {
    condition     = var.enforced_encoding == null || contains(["BINARY", "JSON"], coalesce(var.enforced_encoding, "BINARY"))
    error_message = "enforced_encoding must be BINARY, JSON or null."
  }
}

variable "retention" {
  description = "How long Pub/Sub keeps messages, acknowledged or not, for a replay. At most 7 days."
  type        = string
  default     = "604800s"
}

variable "max_delivery_attempts" {
  description = "Number of times that Pub/Sub tries to write a message to the archive before it moves it to the undeliverable topic. 5 to 100."
  type        = number
  default     = 100
}

variable "archive_days" {
  description = "Days after which archived events are deleted. The archive is the only place with text, so keep it no longer than you promised your users. Keep it as long as a backfill must reach back."
  type        = number
  default     = 60
}

variable "keep_days" {
  description = "Days for which the restricted tables keep rows, by the window that they count or the time of writing. A run's ledger is kept for that long after its last row. Publications are kept until you delete them. Candidates, sample and judgements have a row for each conversation, which undertone forget finds only while the archive has its text; so keep them no longer than the archive."
  type = object({
    counts       = optional(number, 90)
    candidates   = optional(number, 60)
    sample       = optional(number, 60)
    judgements   = optional(number, 60)
    bases        = optional(number, 400)
    dead_letters = optional(number, 90)
    ledger       = optional(number, 400)
  })
  default = {}

  # A window whose basis is gone would be published afresh, so that its versions could be compared.
  validation {
    condition     = var.keep_days.bases >= var.keep_days.counts
    error_message = "keep_days.bases must be at least keep_days.counts, because a correction compares counts with bases."
  }

  validation {
    condition     = var.keep_days.counts >= max(var.archive_days, coalesce(var.publishing.days, 40))
    error_message = "keep_days.counts must be at least archive_days and publishing.days (40 by default), so that no day expires before it is published."
  }

  validation {
    condition     = var.keep_days.candidates >= (var.judging == null ? 0 : coalesce(var.judging.days, 14))
    error_message = "keep_days.candidates must be at least judging.days (14 by default), so that no day expires before it is judged."
  }

  validation {
    condition     = min(var.keep_days.sample, var.keep_days.judgements) >= coalesce(var.publishing.days, 40)
    error_message = "keep_days.sample and keep_days.judgements must be at least publishing.days (40 by default), so that no judgement expires before it is published."
  }
}

# Who.

variable "analysts" {
  description = "Group that may read what is published, and nothing else, e.g. group:analysts@example.com."
  type        = string
  default     = null
}

variable "operators" {
  description = "Group that runs the deployment, e.g. group:undertone-operators@example.com. It may read the restricted tables: exact counts, the ledger, dead letters, and labels of single conversations under keyed hashes."
  type        = string
  default     = null
}

variable "erasers" {
  description = "Group that may erase a user's conversations with undertone forget. Its members may act as the account that can read and write the archive."
  type        = string
  default     = null
}

variable "alert_readers" {
  description = "Group that may read the alerts of conversations that grow long."
  type        = string
  default     = null
}

variable "next_key_rotation" {
  description = "Time of the first reminder to change the keys, e.g. 2027-11-01T00:00:00Z. Another follows every year. Null means no reminder."
  type        = string
  default     = null
}

variable "id_key_version" {
  description = "Version of the secret <name>-id-key that the jobs use: a number. deploy/runbook.md says what a new version changes."
  type        = number
  default     = 1
}

variable "judge_key_version" {
  description = "Version of the secret <name>-judge-key with the key of a language model's endpoint: a number. Null if the endpoint needs no key."
  type        = number
  default     = null
}

# When to alert somebody.

variable "notify" {
  description = "E-mail address that gets the alerts."
  type        = string
  default     = null
}

variable "thresholds" {
  description = "When each alert fires. deploy/runbook.md explains them."
  type = object({
    oldest_unacked_s      = optional(number, 900)
    watermark_age_s       = optional(number, 1800)
    dead_letter_rate      = optional(number, 0.01)
    missing_rows_min      = optional(number, 15)
    silence_minutes       = optional(number, 60)
    ledger_grace_min      = optional(number, 15)
    backfill_age_hours    = optional(number, 26)
    publication_age_hours = optional(number, 48)
  })
  default = {}
}
