"""The parts of the difference estimator, which combines all counts with a judged sample.

This folder does not use Beam.
"""
