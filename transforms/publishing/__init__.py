"""Which cells may be seen. No Beam here."""
