"""The cells that a conversation counts in, and their sums. No Beam here."""
