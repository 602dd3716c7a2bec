"""The dashboard: an Evidence project that queries the views, and a copier for local runs."""
