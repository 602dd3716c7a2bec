"""What is known of a conversation, and how it grows. No Beam here."""
