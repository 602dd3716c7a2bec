"""The graph, its edges, and the programs that run it."""
