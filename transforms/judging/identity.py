"""The hash by which the sample names a conversation.

This module does not use Beam.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

SAMPLE_ID_BYTES: Final = 16
RANDOM_SPACE: Final = 2**63
"""The random number of a conversation is below this."""

_PURPOSE: Final = b"undertone sample"


def sample_id(rank: bytes) -> bytes:
    """Returns the hash of a conversation in the sample, 16 bytes.

    It is made from the conversation's rank, which nobody can compute without the operator's secret.
    It tells nothing about the rank or about the hash that alerts show. It also decides whether the
    conversation is sampled, because it is as good as a random number.

    Args:
      rank: the conversation's rank; see `counting.contribution.rank_of`.
    """
    return blake2b(rank, digest_size=SAMPLE_ID_BYTES, person=_PURPOSE).digest()


def priority_of(identity: bytes, weight: int) -> int:
    """Returns the priority of a conversation: its random number divided by its weight.

    Priorities below t are those of random numbers below t * weight, so a conversation's priority is
    below t with probability min(1, t * weight / `RANDOM_SPACE`).

    Args:
      identity: its hash; see `sample_id`.
      weight: its weight; see `allocation.weight`.
    """
    return int.from_bytes(identity[:8], "big") % RANDOM_SPACE // weight
