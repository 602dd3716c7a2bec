"""What is counted about conversations: a module per facet, and the registry.

Nothing in this package uses Beam.
"""
