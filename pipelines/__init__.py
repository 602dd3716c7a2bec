"""The graph, its sources and sinks, and the programs that run it."""
