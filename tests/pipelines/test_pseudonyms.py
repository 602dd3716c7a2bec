"""Tests whole runs: no output tells an id, or has a hash that can be found without the secret."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
import pytest

from pipelines.graph import assemble
from pipelines.sinks.write import _dead_letter_message, alert_message, write_parquet
from schemas.records import DeadLetterRow
from schemas.tables import STREAM
from tests.builders import PSEUDONYMS
from tests.doubles import LabelReader
from tests.guesses import guesses
from tests.pipelines.running import EXACT, Result, chunk, run_bounded, run_unbounded
from tests.pipelines.timelines import said
from transforms.classifiers.scoring import score_messages
from transforms.conversation.messages import decode_chunk

CANARIES: Final = ("canary-event", "canary-conversation", "canary-user")
_CANARY: Final = re.compile("|".join(CANARIES))
_HEX: Final = re.compile("[0-9a-f]{8,}")
IDS: Final = (*CANARIES, *(f"canary-event-{n}" for n in range(60)))


def events() -> list[dict[str, Any]]:
    """Returns a conversation that grows long, and events that are refused or late."""
    one = {"conversation": "canary-conversation", "user_id": "canary-user"}
    talk = [said(f"canary-event-{n}", n, **one) for n in range(55)]
    refused = [
        said("canary-event-55", 5, role="robot", **one),
        said("canary-event", 5, schema_version=9, **one),
        said("canary-event-56", 5, published_at_us=10**17, **one),
    ]
    return talk + refused


def outputs_of(result: Result) -> str:
    """Returns all rows and messages of a run as text."""
    letters = [DeadLetterRow.of(each, 1, STREAM, 2) for each in result.dead_letters]
    sent = [*map(alert_message, result.grown_long), *map(_dead_letter_message, letters)]
    return repr([result.rows, letters, result.ledger, result.grown_long, sent])


def found(text: str) -> set[str]:
    """Returns the hashes in a text that somebody without the secret finds from a list of ids."""
    known = {guess.hex() for each in IDS for guess in guesses(each.encode())}
    return {each for each in _HEX.findall(text) if each[:8] in known}


@pytest.mark.parametrize("run", [run_bounded, run_unbounded])
def test_a_run_tells_no_id(
    run: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """No row, alert, dead letter or log line has an id, or a hash that a list of ids gives."""
    with caplog.at_level("INFO"):
        result = run([chunk(events())])
    text = outputs_of(result)
    assert (len(result.dead_letters), len(_HEX.findall(text)) > 9) == (3, True)
    told = "".join((text, caplog.text, *capfd.readouterr()))
    assert not _CANARY.search(told)
    assert not found(told)


def test_the_search_finds_what_an_unkeyed_hash_tells() -> None:
    """The test above would notice the hashes that an earlier release wrote."""
    guess = next(iter(guesses(b"canary-user")))
    assert found(f"user='{guess.hex()}0123'") == {f"{guess.hex()}0123"}


def test_nothing_that_leaves_decode_or_score_has_an_id() -> None:
    """Ids are replaced in the first step, and no later step could write one."""
    messages, letters, counts = decode_chunk(chunk(events()), EXACT.limits, PSEUDONYMS)
    scored = score_messages(messages, LabelReader())
    assert (len(messages), len(letters)) == (55, 3)
    for each in (messages, letters, dict(counts), scored):
        assert not any(canary.encode() in pickle.dumps(each) for canary in CANARIES)
    hashes = [each for m in scored for each in (m.conversation, m.event, bytes.fromhex(m.user))]
    known = {guess for each in IDS for guess in guesses(each.encode())}
    assert not {each[:4] for each in hashes} & known


def test_one_conversation_has_one_hash_everywhere() -> None:
    """An operator can join an alert with the dead letters of the same conversation."""
    result = run_unbounded([chunk(events())])
    (alert,) = result.grown_long
    assert {letter.conversation for letter in result.dead_letters} == {alert.conversation}


def test_files_of_a_run_have_no_id(tmp_path: Path) -> None:
    """No byte of a written table belongs to an id."""
    with beam.Pipeline() as pipeline:
        payloads = pipeline | beam.Create([chunk(events())], reshuffle=False)
        write_parquet(assemble(payloads, EXACT), tmp_path, EXACT)
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"invalid_role" in written
    assert not any(canary.encode() in written for canary in CANARIES)
