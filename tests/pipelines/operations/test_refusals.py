"""A run over unsuitable input ends with one sentence and an exit code other than 0."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.commands.main import main
from pipelines.sinks.archive import write_archive
from tests.builders import avro_event

CHAT = {"id": 1, "turns": [{"role": "human", "text": "hello"}]}
LATE = {"published_at_us": 4_000_000_000_000_000}


def run(capsys: pytest.CaptureFixture[str], source: Path) -> tuple[int, str]:
    """Runs the job over a file; returns the exit code and the last line of standard error."""
    flags = [f"--input={source}", f"--output={source.parent / 'run'}", "--classifier=default"]
    code = main(["run", *flags])
    return code, capsys.readouterr().err.splitlines()[-1]


def test_a_file_of_conversations_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of conversations is refused before the run; the error gives the import command."""
    chats = tmp_path / "chats.jsonl"
    chats.write_text(f"{json.dumps(CHAT)}\n" * 3)
    code, sentence = run(capsys, chats)
    assert code == 2
    assert sentence == (
        f"undertone: {chats} holds conversations, not events; turn it into events first: "
        f"undertone import {chats} --output events.avro"
    )
    assert not (tmp_path / "run").exists()


def test_a_run_that_refuses_most_records_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that refuses most records ends with code 3, the counts and the main reasons.

    It still writes its report.
    """
    events = [avro_event(event_id="1"), avro_event(event_id=""), avro_event(event_id="2", **LATE)]
    write_archive(tmp_path / "a.avro", [*events, avro_event(event_id="")])
    code, sentence = run(capsys, tmp_path / "a.avro")
    assert code == 3
    assert sentence == (
        "undertone: 3 of 4 records were refused (2 missing_event_id, 1 late), so the tables are "
        f"not reliable; see undertone dead-letters list {tmp_path / 'run'}"
    )
    assert (tmp_path / "run" / "report.html").exists()


def test_a_run_that_refuses_half_of_its_records_succeeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run fails only if it refuses more than half of its records."""
    write_archive(tmp_path / "a.avro", [avro_event(event_id="1"), avro_event(event_id="")])
    assert run(capsys, tmp_path / "a.avro")[0] == 0
