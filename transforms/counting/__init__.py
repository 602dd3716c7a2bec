"""Which cells a conversation counts in, and their sums. No Beam here."""
