"""Attacks on judged figures, and on the tables of the sample and its judgements."""
