"""Tests that the transcripts of an archive are the conversations that are counted."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.judges.interface import Transcript
from pipelines.judges.transcripts import read_transcripts
from pipelines.sinks.archive import write_archive, write_json_lines
from schemas.failures import InputError
from schemas.judged import SampleRow
from schemas.records import Encoding
from tests.builders import GAP_US, HOUR_US, MONDAY_US, PSEUDONYMS, SECOND_US, avro_event, event_hash
from tests.pipelines.judges.builders import GAP, counted, name_of, sample_row
from tests.schemas.payloads import (
    ENVELOPE_SCHEMA,
    LIMITS,
    SECRET,
    betrays_secret,
    chain_of,
    encoded,
    envelope,
    write_avro,
)
from transforms.counting.days import DayRange

IDS: Final = ("c0", "c1", "c2", "not sampled")


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """Draws an event. Ids collide, roles contradict, and some events are system turns or refused.

    Times lie in four session gaps, so that a conversation id often has several spans.
    """
    event_id = f"e{draw(st.integers(0, 9))}"
    role = draw(st.sampled_from(["HUMAN", "HUMAN", "ASSISTANT", "SYSTEM", "CAT"]))
    step_us = draw(st.sampled_from([0, 1, 2, 3])) * GAP_US
    at_us = MONDAY_US + step_us + draw(st.sampled_from([0, 1, 2, SECOND_US, 2 * SECOND_US]))
    say = f"label:other:0:{event_id}" if role == "HUMAN" else f"label:reply::{event_id}"
    return avro_event(
        event_id=event_id,
        conversation_id=draw(st.sampled_from(IDS)),
        role=role,
        text=say,
        sent_at_us=at_us,
        published_at_us=draw(st.sampled_from([None, at_us + HOUR_US, at_us + 100 * HOUR_US])),
    )


@st.composite
def archives(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """Draws the events of one to three files, with repeated events, in any order."""
    drawn = draw(st.lists(events(), min_size=1, max_size=40))
    again = draw(st.lists(st.sampled_from(drawn), max_size=5))
    ordered = draw(st.permutations(drawn + again))
    cuts = sorted(draw(st.lists(st.integers(0, len(ordered)), max_size=2)))
    bounds = [0, *cuts, len(ordered)]
    return [ordered[a:b] for a, b in pairwise(bounds) if a < b]


def written(folder: Path, files: list[list[dict[str, Any]]]) -> list[str]:
    """Writes files of both formats, and returns their patterns."""
    for number, rows in enumerate(files):
        if number % 2:
            write_json_lines(folder / f"{number}.jsonl", rows)
        else:
            write_archive(folder / f"{number}.avro", rows)
    return [str(folder / f"*.{ending}") for ending in ("avro", "jsonl") if _has(folder, ending)]


def _has(folder: Path, ending: str) -> bool:
    return any(folder.glob(f"*.{ending}"))


def read(patterns: list[str], sample: list[SampleRow], **options: Any) -> list[Transcript]:
    """Reads transcripts with the secret, the session gap and the limits of the tests."""
    options = {"limits": LIMITS} | options
    return list(read_transcripts(patterns, sample, PSEUDONYMS, GAP, **options))


@settings(deadline=None, max_examples=150)
@given(archives())
def test_a_transcript_is_the_counted_conversation(files: list[list[dict[str, Any]]]) -> None:
    """It has the human messages that are counted, in the counted order, and all other messages."""
    names = {name_of(PSEUDONYMS.conversation(c)): c for c in IDS}
    wanted = {
        (name_of(conversation), span.first_at_us): (span, summary)
        for conversation, span, summary in counted(row for rows in files for row in rows)
        if names[name_of(conversation)] != "not sampled"
    }
    sample = [
        sample_row(names[name], summary, human_messages=summary.human_messages)
        for (name, _), (_, summary) in wanted.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        transcripts = read(written(Path(folder), files), sample)
    assert {(t.conversation, t.started_at_us) for t in transcripts} == wanted.keys()
    assert len(transcripts) == len(wanted)
    for transcript in transcripts:
        span, summary = wanted[transcript.conversation, transcript.started_at_us]
        assert transcript.human_messages == summary.human_messages
        assert len(transcript.turns) == span.state.held_messages
        said = [event_hash(turn.text.split(":")[3]) for turn in transcript.turns if turn.is_human]
        assert said == [record[8:16] for record in span.state.human_in_time_order()]


def test_the_archive_may_hold_pubsub_messages(tmp_path: Path) -> None:
    """Archived Pub/Sub messages are read in both encodings; their publish time says who is late."""
    rows = [
        envelope(encoded(Encoding.PROTOBUF, event_id="e0", text="one")),
        envelope(encoded(Encoding.JSON, event_id="e1", text="two"), "application/json"),
        envelope(
            encoded(Encoding.PROTOBUF, event_id="e2", text="late"),
            published_at_us=MONDAY_US + 50 * HOUR_US,
        ),
    ]
    write_avro(tmp_path / "a.avro", rows, ENVELOPE_SCHEMA)
    (transcript,) = read([str(tmp_path / "*.avro")], [sample_row(started_at_us=MONDAY_US)])
    assert [turn.text for turn in transcript.turns] == ["one", "two"]


def test_all_messages_of_a_very_long_conversation_are_read(tmp_path: Path) -> None:
    """A transcript has every message, even where the state of counting holds only a sample."""
    rows = [avro_event(event_id=f"e{i}", text=str(i), sent_at_us=MONDAY_US + i) for i in range(700)]
    write_archive(tmp_path / "a.avro", reversed(rows))
    (transcript,) = read([str(tmp_path / "a.avro")], [sample_row(started_at_us=MONDAY_US)])
    assert [turn.text for turn in transcript.turns] == [str(i) for i in range(700)]


def test_a_reply_at_the_same_instant_comes_second(tmp_path: Path) -> None:
    """Producers that write whole seconds give a question and its answer the same time."""
    rows = [
        avro_event(event_id="a", role="ASSISTANT", text="answer"),
        avro_event(event_id="b", text="question"),
    ]
    write_archive(tmp_path / "a.avro", rows)
    (transcript,) = read([str(tmp_path / "a.avro")], [sample_row(started_at_us=MONDAY_US)])
    assert [turn.text for turn in transcript.turns] == ["question", "answer"]


def test_a_conversation_that_the_archive_lacks_has_no_transcript(tmp_path: Path) -> None:
    """Neither another id nor another start is taken for the sampled conversation."""
    write_archive(tmp_path / "a.avro", [avro_event()])
    sample = [sample_row("c1", started_at_us=MONDAY_US), sample_row(started_at_us=MONDAY_US - 1)]
    assert read([str(tmp_path / "a.avro")], sample) == []


def test_messages_outside_a_backfills_range_are_left_out(tmp_path: Path) -> None:
    """As in a backfill, messages after the margin do not belong to the conversation."""
    asked = DayRange(MONDAY_US, MONDAY_US, MONDAY_US - GAP_US, MONDAY_US + 2, GAP_US)
    rows = [avro_event(event_id=f"e{i}", text=str(i), sent_at_us=MONDAY_US + i) for i in range(4)]
    write_archive(tmp_path / "a.avro", rows)
    sample = [sample_row(started_at_us=MONDAY_US)]
    (transcript,) = read([str(tmp_path / "a.avro")], sample, asked=asked)
    assert [turn.text for turn in transcript.turns] == ["0", "1"]


def test_no_file_is_read_for_an_empty_sample() -> None:
    """A day without sampled conversations needs no archive."""
    assert read(["missing.avro"], []) == []


def test_errors_and_reprs_have_no_text(tmp_path: Path) -> None:
    """Neither a damaged archive nor a transcript in a log shows what was said."""
    file = tmp_path / "a.avro"
    write_archive(file, [avro_event(event_id=f"e{i}", text=SECRET) for i in range(3)])
    (transcript,) = read([str(file)], [sample_row(started_at_us=MONDAY_US)])
    assert not betrays_secret(transcript, *transcript.turns)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(InputError) as caught:
        read([str(file)], [sample_row(started_at_us=MONDAY_US)])
    assert not betrays_secret(*chain_of(caught.value))
