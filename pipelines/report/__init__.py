"""The report of a run: its figures, charts and page."""
