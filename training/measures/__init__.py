"""Measures the figures of the model card and the error rates; each module measures one kind."""
