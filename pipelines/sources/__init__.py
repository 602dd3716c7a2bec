"""Sources: read files and subscriptions as `PayloadChunk`s of up to some thousand records.

An element is a chunk, not a record, for two reasons. First, to score a message alone costs fifteen
times as much as to score it in a batch of 32. Second, the runner spends time on every element.
"""
