"""The dashboard: an Evidence project over the views, and what it needs to read a local run."""
