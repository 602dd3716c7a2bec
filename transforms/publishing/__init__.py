"""Decides which cells may be seen, and makes their rows. No Beam here."""
