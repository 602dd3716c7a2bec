"""How the job is deployed: the local cloud, the Flex Templates and Terraform."""
