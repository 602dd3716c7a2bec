"""The Beam steps, in the order of the data: decode, score, sessionize, changes, count, release."""
