"""Sources: files and subscriptions become `PayloadChunk`s, some thousand records as one element.

A chunk as the element, and not a record, because scoring a batch of one costs fifteen times as much
a message as a batch of 32, and because every element pays the runner's toll.
"""
