"""The output for a person at a terminal: aligned text, progress, and errors as sentences."""
