"""Tests that a crash of a local judging run loses no judgement and repeats none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.judging.journal import Journal
from schemas.judged import JudgementRow


def row(number: int) -> JudgementRow:
    """Builds a judgement."""
    return JudgementRow(
        0, f"{number:02x}", number, "llm", "1", "judged", 3, "work", "", "none", "none", "", 0.5,
        None, 0.1, number,
    )  # fmt: skip


def journal(folder: Path) -> Journal:
    """Returns the journal of a folder."""
    return Journal(folder / "journal.jsonl", folder / "table.parquet")


def test_rows_end_up_in_the_table(tmp_path: Path) -> None:
    """After the run there is no journal, and the table has all rows in their order."""
    for first in (0, 3):
        with journal(tmp_path) as opened:
            for number in range(first, first + 3):
                opened.save(row(number))
    assert os.listdir(tmp_path) == ["table.parquet"]
    assert journal(tmp_path).fold() == [row(number) for number in range(6)]


def test_a_killed_process_loses_no_saved_row(tmp_path: Path) -> None:
    """The next run finds what was saved before the kill; a half-written line is dropped."""
    killed = journal(tmp_path)
    killed.save(row(0))
    killed.save(row(1))
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'[0,"02",2,"llm"')
    with journal(tmp_path) as opened:
        opened.save(row(3))
    assert journal(tmp_path).fold() == [row(0), row(1), row(3)]


def test_a_kill_between_table_and_journal_repeats_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the process is killed before it deletes the journal, its rows are taken once."""

    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    opened = journal(tmp_path)
    opened.save(row(0))
    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        opened.fold()
    monkeypatch.undo()
    assert (tmp_path / "journal.jsonl").exists()
    assert journal(tmp_path).fold() == [row(0)]
    assert os.listdir(tmp_path) == ["table.parquet"]


def test_a_saved_row_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row is synced to the disk, and so is the name of the file, before `save` returns."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    opened = journal(tmp_path)
    opened.save(row(0))
    file = (tmp_path / "journal.jsonl").stat().st_ino
    assert synced == [tmp_path.stat().st_ino, file]
    opened.save(row(1))
    assert synced[2:] == [file]


def test_an_error_in_the_run_keeps_the_rows(tmp_path: Path) -> None:
    """Rows that were saved before an error move into the table too."""

    def fail() -> None:
        with journal(tmp_path) as opened:
            opened.save(row(0))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert journal(tmp_path).fold() == [row(0)]
