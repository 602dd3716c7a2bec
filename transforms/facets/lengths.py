"""The facet `length`: the number of human messages of a conversation, in bins."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from transforms.conversation.summary import LONG_OVER, MIN_MESSAGES_FOR_CHANGE
from transforms.facets.facet import Correction, Facet, ShareOf, Traits

LENGTH_BINS: Final = (
    (0, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 20), (21, 50), (51, 100), (101, 200), (201, None),
)  # fmt: skip
"""The fewest and the most human messages of each bin.

No bin crosses a limit that docs/metrics.md defines. Conversations without a human message are in
the first bin. They are so rare that a bin of their own would be a small cell, and hiding it would
require hiding larger cells too.
"""


def _bin_name(low: int, high: int | None) -> str:
    return f"{low}+" if high is None else str(low) if low == high else f"{low}-{high}"


_HIGHS: Final = tuple(high for _, high in LENGTH_BINS if high is not None)
"""The upper limit of each bin but the last, which has none."""

LENGTHS: Final = tuple(_bin_name(low, high) for low, high in LENGTH_BINS)


def length_of(human_messages: int) -> str:
    """Returns the name of the length bin."""
    return LENGTHS[bisect_left(_HIGHS, human_messages)]


def _members(traits: Traits) -> tuple[str, ...]:
    return (length_of(traits.human_messages),)


FACET = Facet(
    id=4,
    name="length",
    values=LENGTHS,
    members=_members,
    share_of=ShareOf.ALL,
    correction=Correction.COUNTED,
    definition="Human messages of a conversation, in bins.",
    label="Length",
    is_partition=True,
    left_out_of=frozenset(("overall", "length")),
)

assert LENGTH_BINS[4][0] == MIN_MESSAGES_FOR_CHANGE
assert LENGTH_BINS[6][1] == LONG_OVER
