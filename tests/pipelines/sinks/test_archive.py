"""Archives and JSON Lines files are written and read back."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.importers.events import make_event
from pipelines.sinks.archive import (
    read_archive_metadata,
    read_events,
    write_archive,
    write_json_lines,
)
from schemas.failures import InputError
from schemas.records import Encoding, Message
from schemas.wire.event import read_event
from schemas.wire.validate import Limits
from tests.builders import HOUR_US, MONDAY_US

LIMITS = Limits(allowed_lateness_us=HOUR_US)


def events(count: int = 3) -> list[dict[str, Any]]:
    """Returns the events of one conversation."""
    return [
        make_event(
            "c1", f"c1:{index}", index, role="HUMAN", text="héllo 你好", platform="web",
            sent_at_us=MONDAY_US + index * 1_000_001, user_id=None,
        )
        for index in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["x.avro", "x.jsonl", "x.jsonl.gz"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    """Both formats keep every field, and times to the microsecond, and count the events."""
    write = write_archive if name.endswith(".avro") else write_json_lines
    assert write(tmp_path / name, events()) == 3
    assert list(read_events(tmp_path / name)) == events()


def test_json_lines_decode_like_archives(tmp_path: Path) -> None:
    """A line of JSON decodes to the same message as the original event."""
    write_json_lines(tmp_path / "x.jsonl", events(1))
    line = (tmp_path / "x.jsonl").read_bytes()
    assert b'"sent_at":"2025-06-02T00:00:00Z"' in line
    message = read_event(Encoding.JSON, line, None, LIMITS)
    assert isinstance(message, Message)
    assert message == read_event(Encoding.AVRO, events(1)[0], None, LIMITS)


def test_a_time_outside_the_calendar_is_kept(tmp_path: Path) -> None:
    """A damaged time stays a number in JSON, so that decoding refuses it as it does in Avro."""
    damaged = {**events(1)[0], "sent_at_us": 2**62}
    write_json_lines(tmp_path / "x.jsonl", [damaged])
    assert list(read_events(tmp_path / "x.jsonl")) == [damaged]


def test_equal_events_give_equal_gzip_files(tmp_path: Path) -> None:
    """The bytes of a gzip file depend neither on its time nor on its name."""
    write_json_lines(tmp_path / "a.jsonl.gz", events())
    write_json_lines(tmp_path / "b.jsonl.gz", events())
    packed = (tmp_path / "a.jsonl.gz").read_bytes()
    assert packed == (tmp_path / "b.jsonl.gz").read_bytes()
    assert packed[4:8] == bytes(4)  # The bytes of the time in the header.


def test_metadata_is_read_back_without_avros_own(tmp_path: Path) -> None:
    """Reading returns only the metadata that the writer added, without Avro's own."""
    write_archive(tmp_path / "x.avro", events(), metadata={"undertone.synthesised": "user_id"})
    assert read_archive_metadata(tmp_path / "x.avro") == {"undertone.synthesised": "user_id"}


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """A write either replaces the whole file or changes nothing."""

    def failing() -> Iterator[dict[str, Any]]:
        yield from events(1)
        raise InputError("broken off")

    write_archive(tmp_path / "x.avro", events())
    with pytest.raises(InputError, match="broken off"):
        write_archive(tmp_path / "x.avro", failing())
    assert list(read_events(tmp_path / "x.avro")) == events()
    assert [path.name for path in tmp_path.iterdir()] == ["x.avro"]


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    """The error names the missing or broken file, or the line that is not an event."""
    (tmp_path / "broken.avro").write_bytes(b"Obj\x01 and no more")
    (tmp_path / "broken.gz").write_bytes(gzip.compress(b"{}\n" * 99)[:-12])
    (tmp_path / "bad.jsonl").write_bytes(b'{"event_id": "e"}\n[1, 2\n')
    for name in ("missing.avro", "broken.avro", "broken.gz", "bad.jsonl"):
        with pytest.raises(InputError, match=name):
            list(read_events(tmp_path / name))
    with pytest.raises(InputError, match="Line 2"):
        list(read_events(tmp_path / "bad.jsonl"))
    with pytest.raises(InputError, match="not an Avro archive"):
        read_archive_metadata(tmp_path / "bad.jsonl")
