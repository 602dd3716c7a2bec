"""What a person at a terminal sees: aligned text, progress, errors as sentences."""
