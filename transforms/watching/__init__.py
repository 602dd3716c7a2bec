"""Watches the classifier: how well it does on this traffic, and whether that is what was measured.

This folder does not use Beam.
"""
