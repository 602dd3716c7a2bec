"""The hash by which the sample names a conversation.

This module does not use Beam.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

SAMPLE_ID_BYTES: Final = 16
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
