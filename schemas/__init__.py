"""The contracts: what comes in, what flows between the steps, what is written."""
