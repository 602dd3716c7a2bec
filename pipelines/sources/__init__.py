"""Sources: read files and subscriptions as `PayloadChunk`s of up to some thousand records.

An element is a chunk, not a record, for two reasons: a message that is scored alone costs fifteen
times as much as one in a batch of 32, and the runner spends time on every element.
"""
