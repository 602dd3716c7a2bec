"""The dashboard, an Evidence project that queries the views; `snapshot` copies local runs to it."""
