"""The model card, one module per group of chapters, written from the metrics alone."""
