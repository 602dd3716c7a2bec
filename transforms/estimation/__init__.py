"""Turns counts into estimates, using the classifiers' measured error rates.

Nothing in this package uses Beam.
"""
