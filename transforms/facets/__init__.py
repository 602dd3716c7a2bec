"""What is counted of conversations: one module a facet, and the registry of all. No Beam here."""
