"""Writes the model card from the metrics alone; each module writes a group of chapters."""
