"""The Beam pipeline with its sources and sinks, and the programs that run it."""
