"""What is known about a conversation, and how it grows. No Beam here."""
