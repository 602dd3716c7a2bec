"""Tests the keyed hashes: stable, unrelated to each other, and unknown without the secret."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator
from typing import Any, Final

import pytest
from apache_beam.internal import pickler
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import OPERATOR_SECRET, PSEUDONYMS, load_pseudonyms
from tests.guesses import guesses
from transforms.conversation.pseudonyms import Pseudonyms, shown
from transforms.counting.contribution import rank_of

OTHER: Final = Pseudonyms(OPERATOR_SECRET + b"!")
PINNED: Final = [
    "9facc60c539d76ed374755c591f1e521",
    "e6892623eeec2872",
    "50fd2ada8bc0bfd9",
    "ff028be563acf33a",
    "5992aedbd9045213450d1205a4a8d747",
    "cab408e0",
]
IDS: Final = st.text(max_size=300)


def hashes(pseudonyms: Pseudonyms, text: str) -> Iterator[bytes]:
    """Yields the hashes of a text in every role. The two parts of a conversation's are apart."""
    conversation = pseudonyms.conversation(text)
    yield bytes.fromhex(shown(conversation))
    yield rank_of(conversation)
    yield pseudonyms.event(text)
    yield bytes.fromhex(pseudonyms.user(text))
    yield bytes.fromhex(pseudonyms.payload(text.encode("utf-8", "surrogatepass")))
    yield bytes.fromhex(pseudonyms.key_id)


def test_hashes_are_the_same_in_every_release() -> None:
    """With the same secret, an id always has the same hash. Otherwise joins over time break."""
    assert [each.hex() for each in hashes(PSEUDONYMS, "c0")] == PINNED


@given(IDS)
def test_every_role_of_an_id_has_a_hash_of_its_own(text: str) -> None:
    """No hash of a text begins or ends like its hash in another role."""
    starts = [each[:4] for each in hashes(PSEUDONYMS, text)]
    ends = [each[-4:] for each in hashes(PSEUDONYMS, text)]
    assert len({*starts, *ends}) == 2 * 6 - 1  # The key id has only 4 bytes.


@given(IDS)
def test_another_secret_gives_other_hashes(text: str) -> None:
    """Secrets that differ in one byte have no hash in common."""
    pairs = zip(hashes(PSEUDONYMS, text), hashes(OTHER, text), strict=True)
    assert all(one != other for one, other in pairs)


@given(IDS)
def test_ids_cannot_be_guessed(text: str) -> None:
    """No hash equals a usual hash of the same id, so a list of possible ids is of no use."""
    known = guesses(text.encode("utf-8", "surrogatepass"))
    assert not any(each[:4] in known for each in hashes(PSEUDONYMS, text))


@given(IDS)
def test_what_is_shown_does_not_tell_the_rank(text: str) -> None:
    """The rank is no part of the shown hash, and no usual hash of it."""
    conversation = PSEUDONYMS.conversation(text)
    visible = bytes.fromhex(shown(conversation))
    before = hashlib.blake2b(visible, digest_size=8, person=b"user-day-limit").digest()
    rank = rank_of(conversation)
    assert rank != before
    assert rank[:4] not in guesses(visible) | guesses(shown(conversation).encode())
    assert rank[:4] not in {visible[at : at + 4] for at in range(13)}


def test_different_ids_have_different_hashes() -> None:
    """Over many ids, neither ranks nor shown hashes collide."""
    conversations = [PSEUDONYMS.conversation(f"c{n}") for n in range(10_000)]
    assert len({shown(each) for each in conversations}) == 10_000
    assert len({rank_of(each) for each in conversations}) == 10_000


def test_any_text_has_a_hash() -> None:
    """A lone surrogate, which an Avro string may contain, raises nothing."""
    assert len(PSEUDONYMS.conversation("\ud800")) == 24


@pytest.mark.parametrize("dumps", [pickle.dumps, pickler.dumps])
def test_a_loaded_secret_cannot_be_pickled(dumps: Any) -> None:
    """A loaded secret can't be put into a pipeline graph by mistake, but its loader can."""
    with pytest.raises(TypeError, match="pickle"):
        dumps(load_pseudonyms())
    assert dumps(load_pseudonyms)


def test_a_secret_is_not_kept() -> None:
    """Neither the text of the object nor its attributes show the secret."""
    assert OPERATOR_SECRET.decode() not in f"{PSEUDONYMS!r} {vars(PSEUDONYMS)!r}"


def test_a_short_secret_is_refused_without_showing_it() -> None:
    """A secret of fewer than 16 bytes can be guessed. The error gives only its size."""
    with pytest.raises(ValueError, match="at least 16 random bytes, got 15; make one") as error:
        Pseudonyms(b"fifteen bytes !")
    assert "fifteen" not in str(error.value)
    assert Pseudonyms(b"sixteen bytes !!").key_id != PSEUDONYMS.key_id
