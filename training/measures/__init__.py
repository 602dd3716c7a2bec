"""What the model card and the shipped rates report, one kind of figure per module."""
