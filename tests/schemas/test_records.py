"""Tests that records are frozen, and are encoded the same way in every process."""

from __future__ import annotations

import pickle

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.counts import CountsRow
from schemas.published import AggregateRow
from schemas.records import (
    ConversationSummary,
    DeadLetter,
    DeadLetterRow,
    Encoding,
    LedgerEntry,
    PayloadChunk,
    SignedSummary,
    StructCodec,
)
from tests.builders import message, summary

_STORED = (
    AggregateRow, ConversationSummary, CountsRow, DeadLetter, DeadLetterRow, LedgerEntry,
    SignedSummary,
)  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=9), st.text(max_size=9), st.integers(-(2**63), 2**63 - 1))
def test_codec_decodes_what_it_encoded(account: str, reason: str, records: int) -> None:
    """Encoding and decoding change nothing, and equal records have equal bytes."""
    codec = StructCodec(LedgerEntry)
    entry = LedgerEntry(account, reason, records)
    assert codec.decode(codec.encode(entry)) == entry
    assert codec.encode(entry) == codec.encode(LedgerEntry(account, reason, records))


def test_codec_can_be_pickled() -> None:
    """A pickled codec decodes as before."""
    codec = StructCodec(SignedSummary)
    signed = SignedSummary(-1, summary(types=["coaching"], change=-3, human_messages=7))
    assert pickle.loads(pickle.dumps(codec)).decode(codec.encode(signed)) == signed


def test_codec_refuses_another_type() -> None:
    """The bytes of one type are not decoded as a different type."""
    entry = StructCodec(LedgerEntry).encode(LedgerEntry("read", "", 1))
    with pytest.raises(msgspec.ValidationError):
        StructCodec(DeadLetter).decode(entry)


@pytest.mark.parametrize("record", _STORED)
def test_stored_records_are_written_in_order_without_names(record: type[msgspec.Struct]) -> None:
    """Stored records are frozen, and are encoded as arrays, so that fields can be added."""
    assert record.__struct_config__.array_like
    assert record.__struct_config__.frozen


def test_records_do_not_change() -> None:
    """A message is a value: assigning to it fails."""
    said = message()
    with pytest.raises(AttributeError):
        said.text = "other"  # type: ignore[misc]


@pytest.mark.parametrize("record", [AggregateRow, ConversationSummary, DeadLetterRow, LedgerEntry])
def test_nothing_stored_has_a_field_for_text(record: type[msgspec.Struct]) -> None:
    """No record after scoring has a field that could contain text."""
    names = {field.name for field in msgspec.structs.fields(record)}
    assert not names & {"text", "payload", "rows"}


def test_a_chunk_can_be_pickled() -> None:
    """A chunk of payloads has no coder, so a runner may have to pickle it."""
    chunk = PayloadChunk(Encoding.JSON, [b"{}"], [None], "f")
    assert pickle.loads(pickle.dumps(chunk)) == chunk
