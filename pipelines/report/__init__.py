"""Writes the report of a run: reads its figures, draws charts, and renders the page."""
