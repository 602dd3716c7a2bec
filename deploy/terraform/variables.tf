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
  description = "Location of the dataset; the region where not given. It can't be changed later."
  type        = string
  default     = null
}

variable "name" {
  description = "What every resource is named after. Two deployments in one project need two names."
  type        = string
  default     = "undertone"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,18}[a-z0-9]$", var.name))
    error_message = "name must be 4 to 20 small letters, digits and hyphens and begin with a letter, e.g. undertone."
  }
}

variable "labels" {
  description = "Labels of every resource that takes some."
  type        = map(string)
  default     = {}
}

variable "network" {
  description = "VPC network of the workers; the default network where neither it nor subnetwork is given."
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
  description = "Tag of the image and templates to run, e.g. 0.1.0. Without it all is made but the jobs: the first templates are built into what the first apply makes."
  type        = string
  default     = null
}

variable "counting" {
  description = "Flags of both mains that say how to count: one value for both, because a backfill supersedes what the stream has counted. What is null is left to its default; see python -m pipelines.stream --help."
  type = object({
    classifier                 = optional(string)
    session_gap                = optional(string)
    allowed_lateness           = optional(string)
    min_users                  = optional(number)
    min_conversations          = optional(number)
    max_conversations_per_user = optional(number)
    max_event_bytes            = optional(number)
    values                     = optional(string)
  })
  default = {}
}

variable "stream" {
  description = "Flags that only pipelines.stream has; what is null is left to its default."
  type = object({
    timestamp_attribute = optional(string)
    firing_period       = optional(string)
    conversation_life   = optional(string)
    outage              = optional(string)
  })
  default = {}
}

variable "backfill" {
  description = "Flags that only pipelines.backfill has, for the nightly run; what is null is left to its default. See python -m pipelines.backfill --help."
  type = object({
    from       = optional(string, "9d")
    to         = optional(string, "1d")
    margin     = optional(string)
    resume     = optional(bool)
    empty_days = optional(bool)
  })
  default = {}
}

variable "backfill_schedule" {
  description = "When the backfill runs, as cron, UTC. After midnight by more than the archive takes to be written."
  type        = string
  default     = "30 2 * * *"
}

variable "stream_workers" {
  description = "Machine type of the stream's workers, and how few and how many there may be."
  type = object({
    machine_type = optional(string, "n2-standard-2")
    min          = optional(number, 1)
    max          = optional(number, 10)
  })
  default = {}
}

variable "backfill_workers" {
  description = "Machine type of the backfill's workers, and how many there may be."
  type = object({
    machine_type = optional(string, "n2-standard-4")
    max          = optional(number, 20)
  })
  default = {}
}

# Events.

variable "enforced_encoding" {
  description = "BINARY or JSON lets the topic take only events of the schema in that encoding, and refuses the rest to their sender. Null takes both encodings; what is no event becomes a dead letter."
  type        = string
  default     = null

  validation {
    condition     = var.enforced_encoding == null || contains(["BINARY", "JSON"], coalesce(var.enforced_encoding, "BINARY"))
    error_message = "enforced_encoding must be BINARY, JSON or null."
  }
}

variable "retention" {
  description = "How long Pub/Sub keeps messages, acknowledged or not, so that the stream can be sought back; at most 7 days."
  type        = string
  default     = "604800s"
}

variable "max_delivery_attempts" {
  description = "Pub/Sub tries so often to write a message to the archive, then moves it to the undeliverable topic; 5 to 100."
  type        = number
  default     = 100
}

variable "archive_days" {
  description = "Days after which archived events are deleted. The archive is the only place that holds text: no longer than your users were promised, and no shorter than a backfill reaches back."
  type        = number
  default     = 60
}

# Who.

variable "analysts" {
  description = "Group that may read the figures, e.g. group:analysts@example.com; not the dead letters."
  type        = string
  default     = null
}

variable "dead_letter_readers" {
  description = "Group that may read the dead letters, e.g. group:undertone-operators@example.com."
  type        = string
  default     = null
}

variable "alert_readers" {
  description = "Group that may read the alerts of conversations that grow long."
  type        = string
  default     = null
}

variable "next_key_rotation" {
  description = "When to be reminded first to change the senders' key, e.g. 2027-11-01T00:00:00Z; every year from then on. Null reminds nobody."
  type        = string
  default     = null
}

# When to wake somebody.

variable "notify" {
  description = "E-mail address that alerts go to."
  type        = string
  default     = null
}

variable "thresholds" {
  description = "When an alert fires; each is explained in deploy/runbook.md."
  type = object({
    oldest_unacked_s   = optional(number, 900)
    watermark_age_s    = optional(number, 1800)
    dead_letter_rate   = optional(number, 0.01)
    missing_rows_min   = optional(number, 15)
    silence_minutes    = optional(number, 60)
    ledger_grace_min   = optional(number, 15)
    backfill_age_hours = optional(number, 26)
  })
  default = {}
}
