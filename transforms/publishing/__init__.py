"""Decides which cells may be seen, and makes their rows.

Nothing in this package uses Beam.
"""
