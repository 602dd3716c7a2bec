"""The data contracts: input events, records passed between steps, and output tables."""
