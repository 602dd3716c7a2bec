"""The fast classifier: hashed n-grams, NumPy only."""
