"""Error rates of the classifiers, which turn counts into estimates.

Nothing in this package uses Beam.
"""
