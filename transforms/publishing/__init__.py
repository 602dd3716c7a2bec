"""Decides which cells may be published, and makes their rows.

Nothing in this package uses Beam.
"""
