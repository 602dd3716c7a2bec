"""Runs a cloud on one machine: the streaming job, and emulators of the services that it uses."""
