"""The cells that a conversation counts in, and their sums.

Nothing in this package uses Beam.
"""
