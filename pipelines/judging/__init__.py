"""Has the sampled conversations judged, and keeps the judgements."""
