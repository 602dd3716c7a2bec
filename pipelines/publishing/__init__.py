"""Publishing: reads exact counts, makes publications, and writes them."""
