"""Commands about judged samples."""
