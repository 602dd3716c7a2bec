"""Protects numbers, and makes and corrects publications.

Nothing in this package uses Beam.
"""
