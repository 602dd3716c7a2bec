"""What an operator does with a job: check its status, plan a backfill, publish records again."""
