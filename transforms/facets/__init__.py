"""What is counted about conversations: a module per facet, and the registry. No Beam here."""
