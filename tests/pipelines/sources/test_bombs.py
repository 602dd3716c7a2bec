"""Small files that unpack to a gigabyte, or claim to have millions of records, do no harm."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.pipelines.sources.bombs import BLOCKS, LINES, null_rows, write_all

MAX_MB: Final = 600
"""A worker has at least a gigabyte. Before reading a file, Beam alone needs 160 MB."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Reads all bombs in one separate process; returns the outcome of each by its name."""
    files = write_all(tmp_path_factory.mktemp("bombs"))
    command = [sys.executable, "-m", "tests.pipelines.sources.peak", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(files)
    return {each["name"]: each for each in found}


def test_no_file_takes_much_memory(measured: dict[str, dict[str, Any]]) -> None:
    """Reading needs far less than a gigabyte, however much a file claims to contain."""
    assert max(each["peak_mb"] for each in measured.values()) < MAX_MB


@pytest.mark.parametrize("codec", BLOCKS)
def test_a_block_that_unpacks_to_a_gigabyte_is_refused(
    codec: str, measured: dict[str, dict[str, Any]]
) -> None:
    """A block is unpacked only up to the limit.

    The error says where the block is and what to do.
    """
    found = measured[f"{codec}.avro"]
    assert found["error"].startswith(f"{codec}.avro has a block of more than 16,777,216 bytes at")
    assert found["error"].endswith("; write the archive in smaller blocks")
    assert found["rows"] == 0


@pytest.mark.parametrize("ending", LINES)
def test_a_line_of_a_gigabyte_is_refused(ending: str, measured: dict[str, dict[str, Any]]) -> None:
    """A line is read only up to the limit, and the error names the file and the line."""
    assert measured[f"line.jsonl{ending}"]["error"] == (
        f"line 1 of line.jsonl{ending} has more than 16,777,216 bytes; take it out of the file"
    )


def test_records_that_take_no_byte_are_refused(measured: dict[str, dict[str, Any]]) -> None:
    """A required field must not be only null: 300 bytes could claim millions of such records."""
    error = measured["null_rows.avro"]["error"]
    assert "wrong type: event_id, conversation_id, role, text, sent_at_us; " in error


@pytest.mark.parametrize(
    "name", ["array_of_nulls", "array_of_empty_records", "doubling_records", "wide_nulls"]
)
def test_values_that_take_no_byte_are_refused(
    name: str, measured: dict[str, dict[str, Any]]
) -> None:
    """Skipping an unread field must not cost more than the bytes of that field."""
    error = measured[f"{name}.avro"]["error"]
    assert "which may have millions of values that take no bytes" in error


def test_a_block_of_millions_of_empty_events_is_refused(
    measured: dict[str, dict[str, Any]],
) -> None:
    """More than half a million records in one block are too short to be real events."""
    error = measured["many_empty_events.avro"]["error"]
    assert "has a block of more than 500,000 records at byte" in error


def test_an_array_that_nobody_reads_is_skipped(measured: dict[str, dict[str, Any]]) -> None:
    """Eight million numbers in an unread field of an event are skipped, and the event is read."""
    found = measured["array_of_numbers.avro"]
    assert (found["rows"], found["error"]) == (1, "")


def test_the_largest_text_is_a_dead_letter(measured: dict[str, dict[str, Any]]) -> None:
    """A text that just fits into a block becomes a dead letter, and the run goes on."""
    found = measured["largest_text.avro"]
    assert (found["rows"], found["error"]) == (1, "")
    assert sum(found["letters"].values()) == 1


def test_a_run_over_a_bomb_ends_with_one_sentence(tmp_path: Path) -> None:
    """A run over a file that claims millions of empty records fails, and says so in one line."""
    bomb = null_rows(tmp_path / "a.avro")
    assert bomb.stat().st_size < 320
    command = [sys.executable, "-m", "pipelines.commands.main", "run", f"--input={bomb}"]
    done = subprocess.run(
        [*command, f"--output={tmp_path / 'out'}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("undertone: a.avro has schema")
    assert "Traceback" not in done.stderr
