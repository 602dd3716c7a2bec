"""What an operator does with a deployed job: look, plan, mend, send again."""
