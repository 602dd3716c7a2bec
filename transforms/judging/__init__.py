"""Chooses conversations to be judged, so that few judgements say much about all conversations.

This folder does not use Beam.
"""
