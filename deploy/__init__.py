"""What runs the job: the local cloud here, templates and Terraform beside it."""
