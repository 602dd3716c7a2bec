"""Deploys the job: on a local cloud, or with Flex Templates and Terraform."""
