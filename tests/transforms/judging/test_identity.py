"""Tests the names of sampled conversations."""

from __future__ import annotations

from hashlib import blake2b

from tests.builders import PSEUDONYMS, rank_for
from transforms.counting.contribution import rank_of
from transforms.judging.identity import sample_id


def test_the_name_is_a_hash_of_the_rank() -> None:
    """The name is BLAKE2b of the rank, with a purpose of its own. Stored samples rely on it."""
    rank = rank_for("c0")
    expected = blake2b(rank, digest_size=16, person=b"undertone sample").digest()
    assert sample_id(rank) == expected
    assert sample_id(bytes(range(16, 24))).hex() == "e37d08444cd5c8671bdd1c00773e0caf"


def test_the_part_that_alerts_show_does_not_decide_the_name() -> None:
    """The name depends only on the secret part of a conversation's hash."""
    conversation = PSEUDONYMS.conversation("c0")
    assert rank_of(bytes(16) + conversation[16:]) == rank_for("c0")
    assert sample_id(rank_for("c1")) != sample_id(rank_for("c0"))
