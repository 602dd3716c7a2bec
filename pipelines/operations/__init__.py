"""An operator's tasks: to check a job's status, plan a backfill or publish records again."""
