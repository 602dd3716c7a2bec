"""On a full disk, programs end with one sentence that names the disk; no file is half written.

The tests limit the size of files, because the system reports that like a full disk.
"""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from pipelines.commands.main import main
from pipelines.sinks.archive import write_archive
from pipelines.sinks.database import DATABASE_FILE, build_databases
from schemas.failures import InputError
from schemas.views import PUBLISHED_VIEWS
from tests.builders import avro_event
from tests.pipelines.processes import finished

pytestmark = pytest.mark.timeout(300)

FULL = os.strerror(errno.EFBIG)
DEFAULT = "--classifier=default"
TWO_PROCESSES = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")


@contextmanager
def file_size(most_bytes: int) -> Iterator[None]:
    """Limits the size of the files that this process may write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("command", "size_bytes", "place"),
    [
        (("simulate", "--conversations=500", "--output=out"), 20_000, "out/labels.jsonl"),
        (("import", "chats.jsonl", "--output=out.jsonl"), 20_000, "out.jsonl"),
        (("classify", "chats.jsonl", "--output=out.jsonl", DEFAULT), 20_000, "out.jsonl"),
        (("run", "--input=a.avro", "--output=out", DEFAULT), 300_000, "out"),
    ],
)
def test_a_full_disk_is_one_sentence(
    command: tuple[str, ...], size_bytes: int, place: str, tmp_path: Path
) -> None:
    """On a full disk, each command that writes says which output failed, and what to do."""
    write_archive(tmp_path / "a.avro", [avro_event()])
    chat = '{"id": 1, "turns": [{"role": "human", "text": "hello"}]}\n'
    (tmp_path / "chats.jsonl").write_text(chat * 5000)
    argv = ["-m", "pipelines.commands.program", *command]
    code, lines = finished(argv, tmp_path, file_size_bytes=size_bytes)
    cure = "free some space or write to another disk"
    assert (code, lines[-1]) == (2, f"undertone: {place} can't be written: {FULL}; {cure}")
    assert all(line.startswith("undertone: ") for line in lines)
    assert not [path for path in tmp_path.rglob("*out*") if path.is_file()]


@pytest.mark.parametrize("flags", [(), TWO_PROCESSES], ids=["one process", "two processes"])
def test_a_full_temporary_folder(flags: tuple[str, ...], tmp_path: Path) -> None:
    """If a run's temporary folder is full, the error names TMPDIR, also with worker processes."""
    write_archive(tmp_path / "a.avro", [avro_event()])
    argv = ["-m", "pipelines.commands.program", "run", "--input=a.avro", "--output=out"]
    code, lines = finished([*argv, DEFAULT, *flags], tmp_path, file_size_bytes=1000)
    assert code == 2
    assert lines[-1].startswith(f"undertone: {tmp_path / 'temporary'}/undertone-")
    assert lines[-1].endswith(f"{FULL}; free some space or set TMPDIR to a folder on another disk")
    assert all(line.startswith("undertone: ") for line in lines)


def test_a_full_standard_output(tmp_path: Path) -> None:
    """If a program cannot print its output, it ends with one sentence."""
    archive = tmp_path / "a.avro"
    write_archive(archive, [avro_event()])
    assert main(["run", f"--input={archive}", f"--output={tmp_path / 'run'}", DEFAULT]) == 0
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        argv = ["-m", "pipelines.commands.program", "report", "run"]
        code, lines = finished(argv, tmp_path, stdout=full)
    sentence = f"can't write: {os.strerror(errno.ENOSPC)}; free some space and run again"
    assert (code, lines) == (2, [f"undertone: {sentence}"])


def test_a_database_is_whole_or_missing(tmp_path: Path) -> None:
    """However early the disk is full, a database is either missing or whole, with all its views."""
    refused = 0
    for size_bytes in range(20_000, 10_000_000, 40_000):
        try:
            with file_size(size_bytes):
                build_databases(tmp_path)
        except (duckdb.Error, InputError):
            refused += 1
            continue
        with duckdb.connect(str(tmp_path / DATABASE_FILE), read_only=True) as connection:
            views = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal")
            assert {name for (name,) in views.fetchall()} == set(PUBLISHED_VIEWS)
        break
    assert refused > 0
