"""Tests decoding: nothing raises, nothing is lost, and no dead letter contains text."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
import pytest
from apache_beam.io.source_test_utils import read_from_source
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources.files import AvroSource
from schemas.failures import InputError, Reason
from schemas.records import DeadLetter, Encoding, LedgerEntry, PayloadChunk, PseudonymousMessage
from tests.builders import HOUR_US, MONDAY_US, PSEUDONYMS, event_hash, load_pseudonyms, message
from tests.schemas.payloads import (
    LATENESS_US,
    LIMITS,
    SECRET,
    WIRE_ENCODINGS,
    betrays_secret,
    chain_of,
    damaged,
    encoded,
    write_avro,
)
from transforms.conversation.messages import decode_chunk, rounded
from transforms.conversation.pseudonyms import shown
from transforms.counting.ledger import FATES
from transforms.decode import Decode

_EVENT: Final = re.compile("[0-9a-f]{16}")
_CONVERSATION: Final = re.compile("[0-9a-f]{32}")
_SPOKEN: Final = {
    encoding: encoded(
        encoding, text=SECRET, platform="web", country="de", published_at_us=MONDAY_US
    )
    for encoding in WIRE_ENCODINGS
}


def chunk(
    encoding: Encoding, rows: list[Any], published_at_us: list[int | None] | None = None
) -> PayloadChunk:
    """Builds a chunk from one file."""
    return PayloadChunk(encoding, rows, published_at_us, "f")


def check_conserved(
    rows: int,
    messages: list[PseudonymousMessage],
    dead_letters: list[DeadLetter],
    counts: Counter[tuple[str, str]],
) -> None:
    """Asserts that each row is counted exactly once, and no dead letter contains the secret."""
    refused = Counter({outcome: n for outcome, n in counts.items() if outcome[0] in FATES})
    turns = refused.pop(("system_turn", ""), 0)
    assert counts["read", ""] == rows == len(messages) + len(dead_letters) + turns
    letters = Counter(
        ("late", "") if d.reason == Reason.LATE else ("dead_letter", d.reason) for d in dead_letters
    )
    assert letters == refused
    assert not betrays_secret(dead_letters)
    for letter in dead_letters:
        assert letter.event is None or _EVENT.fullmatch(letter.event)
        assert letter.conversation is None or _CONVERSATION.fullmatch(letter.conversation)


@pytest.mark.parametrize("encoding", WIRE_ENCODINGS)
def test_each_row_has_its_outcome(encoding: Encoding) -> None:
    """Messages keep their order; system turns, late rows and refused rows are counted."""
    rows = [
        encoded(encoding, event_id="e1"),
        encoded(encoding, role="SYSTEM"),
        encoded(encoding, event_id="e2", sent_at_us=MONDAY_US - LATENESS_US - 1),
        encoded(encoding, event_id=""),
        encoded(encoding, event_id="e3"),
    ]
    messages, letters, counts = decode_chunk(
        chunk(encoding, rows, [MONDAY_US] * 5), LIMITS, PSEUDONYMS
    )
    assert [m.event for m in messages] == [event_hash("e1"), event_hash("e3")]
    assert [d.reason for d in letters] == ["late", "missing_event_id"]
    assert counts == {
        ("read", ""): 5,
        ("system_turn", ""): 1,
        ("late", ""): 1,
        ("dead_letter", "missing_event_id"): 1,
    }


def test_a_dead_letter_identifies_the_record() -> None:
    """A dead letter has the source, the times and the size of its record, and keyed hashes."""
    row = encoded(Encoding.JSON, event_id="e-7", role="robot", text=SECRET)
    _, letters, _ = decode_chunk(chunk(Encoding.JSON, [row], [MONDAY_US + 1]), LIMITS, PSEUDONYMS)
    assert letters[0] == DeadLetter(
        "decode", "invalid_role", "f", event_hash("e-7").hex(),
        shown(PSEUDONYMS.conversation("c0")), MONDAY_US, MONDAY_US + 1, rounded(len(row)),
        PSEUDONYMS.payload(row),
    )  # fmt: skip


def test_each_row_is_late_by_its_own_publish_time() -> None:
    """Lateness is decided for each row by the publish time of that row."""
    row = encoded(Encoding.PROTOBUF)
    times: list[int | None] = [MONDAY_US + LATENESS_US, MONDAY_US + LATENESS_US + 1, None]
    messages, letters, _ = decode_chunk(
        chunk(Encoding.PROTOBUF, [row] * 3, times), LIMITS, PSEUDONYMS
    )
    assert (len(messages), [d.published_at_us for d in letters]) == (2, [times[1]])


def test_fewer_publish_times_than_rows_are_an_error() -> None:
    """A chunk with fewer publish times than rows is a bug of ours; no row is lost silently."""
    with pytest.raises(ValueError, match="longer"):
        decode_chunk(chunk(Encoding.JSON, [b"{}"] * 2, [1]), LIMITS, PSEUDONYMS)


def test_an_empty_chunk_gives_nothing() -> None:
    """A chunk without rows gives no messages and no dead letters."""
    assert decode_chunk(chunk(Encoding.JSON, []), LIMITS, PSEUDONYMS)[:2] == ([], [])


def test_ten_megabytes_are_oversize_in_every_encoding() -> None:
    """A huge message becomes a dead letter with its size, and the next row is still read."""
    for encoding in WIRE_ENCODINGS:
        rows = [encoded(encoding, text="x" * 10_000_000), encoded(encoding)]
        messages, letters, _ = decode_chunk(chunk(encoding, rows), LIMITS, PSEUDONYMS)
        assert [m.text for m in messages] == ["hello"]
        assert [d.reason for d in letters] == ["oversize"]
        assert letters[0].size_bytes == 10_000_000


def test_decode_gives_messages_dead_letters_and_ledger() -> None:
    """Decoding a chunk gives one list of messages, its dead letters and its ledger entries."""
    good, bad = encoded(Encoding.JSON), b"{"
    chunks = [chunk(Encoding.JSON, [good, bad]), chunk(Encoding.JSON, [bad])]
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        decoded = pipeline | beam.Create(chunks) | Decode(LIMITS, load_pseudonyms)
        assert_that(decoded.messages, equal_to([[message()]]), label="Messages")
        letters = decoded.dead_letters | beam.Map(lambda letter: letter.reason)
        assert_that(letters, equal_to(["undecodable"] * 2), label="Letters")
        assert_that(
            decoded.ledger,
            equal_to(
                [LedgerEntry("read", "", 2), LedgerEntry("read", "", 1)]
                + [LedgerEntry("dead_letter", "undecodable", 1)] * 2
            ),
            label="Ledger",
        )


@pytest.mark.parametrize("encoding", [Encoding.PROTOBUF, Encoding.JSON])
def test_truncated_payloads_keep_the_secret(encoding: Encoding) -> None:
    """A payload that is cut at any byte is read or refused, and no dead letter quotes it."""
    row = _SPOKEN[encoding]
    rows = [row[:size] for size in range(rounded(len(row)))]
    check_conserved(len(rows), *decode_chunk(chunk(encoding, rows), LIMITS, PSEUDONYMS))


@settings(deadline=None, max_examples=1500)
@given(st.data())
def test_damaged_payloads_raise_nothing_and_keep_the_secret(data: st.DataObject) -> None:
    """After any damage every row is counted, and no dead letter contains text."""
    encoding = data.draw(st.sampled_from([Encoding.PROTOBUF, Encoding.JSON]))
    rows = [data.draw(damaged(_SPOKEN[encoding])) for _ in range(2)]
    lag_us = data.draw(st.sampled_from([None, 0, 50 * HOUR_US]))
    times: list[int | None] | None = None if lag_us is None else [MONDAY_US + lag_us] * 2
    claimed = data.draw(st.sampled_from([encoding, encoding, encoding, Encoding.UNKNOWN]))
    check_conserved(2, *decode_chunk(chunk(claimed, rows, times), LIMITS, PSEUDONYMS))


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_payloads_under_a_wrong_content_type_keep_the_secret(data: st.DataObject) -> None:
    """JSON that is read as protobuf, or protobuf as JSON, is never quoted in a dead letter."""
    taken_for = {Encoding.PROTOBUF: Encoding.JSON, Encoding.JSON: Encoding.PROTOBUF}
    encoding = data.draw(st.sampled_from([*taken_for]))
    row = data.draw(damaged(_SPOKEN[encoding]))
    check_conserved(1, *decode_chunk(chunk(taken_for[encoding], [row]), LIMITS, PSEUDONYMS))


_CELLS: Final = st.one_of(
    st.none(), st.just(SECRET), st.sampled_from(["", "e", "HUMAN", "SYSTEM", "all", "\udcff"]),
    st.text(max_size=4), st.text("xé", min_size=250, max_size=260),
)  # fmt: skip
_INSTANTS: Final = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.integers(MONDAY_US - 5, MONDAY_US + 5)
)


@settings(deadline=None, max_examples=1000)
@given(
    st.fixed_dictionaries(
        {"text": st.just(SECRET)},
        optional={
            **dict.fromkeys(
                ("event_id", "conversation_id", "user_id", "role", "platform", "country",
                 "language", "plan", "model"),
                _CELLS,
            ),
            "sent_at_us": _INSTANTS,
            "published_at_us": _INSTANTS,
            "schema_version": st.integers(-(2**63), 2**63 - 1),
        },
    )
)  # fmt: skip
def test_any_avro_row_of_the_schema_is_read_or_refused(row: dict[str, Any]) -> None:
    """A row with any values in its fields is counted, and no dead letter contains text."""
    check_conserved(1, *decode_chunk(chunk(Encoding.AVRO, [row]), LIMITS, PSEUDONYMS))


def _archive(codec: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        rows = [encoded(Encoding.AVRO, event_id=f"e{i}", text=SECRET) for i in range(6)]
        return write_avro(Path(folder, "a.avro"), rows, rows_a_block=3, codec=codec).read_bytes()


_ARCHIVES: Final = {codec: _archive(codec) for codec in ("null", "deflate", "snappy")}


def _read(path: Path) -> tuple[list[PayloadChunk], InputError | None]:
    try:
        return read_from_source(AvroSource(str(path)), None, None), None
    except InputError as error:
        return [], error


@settings(deadline=None, max_examples=1500)
@given(st.data())
def test_a_damaged_archive_is_an_input_error_or_counted(data: st.DataObject) -> None:
    """Damage raises only `InputError`, and neither the error nor a dead letter contains text."""
    archive = _ARCHIVES[data.draw(st.sampled_from([*_ARCHIVES]))]
    header = data.draw(st.sampled_from([0, *[archive.index(archive[-16:])] * 3]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.avro")
        path.write_bytes(data.draw(damaged(archive, header)) or b"x")
        chunks, error = _read(path)
    assert not betrays_secret(*chain_of(error))
    for each in chunks:
        check_conserved(len(each.rows), *decode_chunk(each, LIMITS, PSEUDONYMS))


@pytest.mark.parametrize(
    ("size_bytes", "said"),
    [(0, 0), (9, 9), (104, 100), (1_951, 2_000), (310_000_000, 310_000_000)],
)
def test_a_size_is_rounded_to_two_digits(size_bytes: int, said: int) -> None:
    """An exact size may tell which message a dead letter is about."""
    assert rounded(size_bytes) == said
