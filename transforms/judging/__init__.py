"""Chooses the conversations that are judged.

This folder does not use Beam.
"""
