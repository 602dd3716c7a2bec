"""Attacks the publications, in the role of an analyst who wants to learn about single people.

Each module is one kind of attack. Nothing in this package uses Beam.
"""
