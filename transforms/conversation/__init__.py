"""What is known about a conversation, and how it grows.

Nothing in this package uses Beam.
"""
