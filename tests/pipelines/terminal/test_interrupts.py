"""Ctrl-C in real programs gives one sentence and exit code 130, and leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from pipelines.sinks.archive import write_archive
from tests.builders import avro_event
from tests.pipelines.processes import await_line, await_true, interrupted, started

pytestmark = pytest.mark.timeout(300)

RUN: Final = (
    "pipelines.commands.program", "run", "--input=a.avro", "--output=run", "--classifier=default",
)  # fmt: skip
STREAM: Final = (
    "pipelines.stream",
    "--subscription=projects/p/subscriptions/s",
    "--dataset=p.d",
    "--secret=a.key",
)
BACKFILL: Final = (
    "pipelines.backfill",
    "--from=7d",
    "--to=1d",
    "--input=a.avro",
    "--dataset=p.d",
    "--secret=a.key",
)
TWO_PROCESSES: Final = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
SENTENCE: Final = "undertone: interrupted"


def leftovers(folder: Path, group: int) -> list[str]:
    """Returns the files that an interrupted program left, and its processes that still run."""
    files = [path.name for path in folder.iterdir() if path.name not in {"a.avro", "temporary"}]
    files += [path.name for path in (folder / "temporary").iterdir()]
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return files
    return [*files, "a process"]


@pytest.mark.parametrize(
    ("program", "module"),
    [
        (RUN, "pipelines.terminal.flags"),
        (RUN, "apache_beam.utils.timestamp"),
        (RUN, "numpy"),
        (RUN, "pipelines.settings"),
        (STREAM, "apache_beam.utils.timestamp"),
        (STREAM, "apache_beam"),
        (BACKFILL, "apache_beam.utils.timestamp"),
        (BACKFILL, "apache_beam"),
    ],
)
def test_ctrl_c_while_modules_are_imported(
    program: tuple[str, ...], module: str, tmp_path: Path
) -> None:
    """While it imports its modules, each program answers Ctrl-C with one sentence."""
    process = started(["-X", "importtime", "-m", *program], tmp_path)
    await_line(process, f" {module}")
    assert interrupted(process) == (130, [SENTENCE])


@pytest.mark.parametrize("flags", [(), TWO_PROCESSES], ids=["one process", "two processes"])
def test_ctrl_c_while_a_run_begins(flags: tuple[str, ...], tmp_path: Path) -> None:
    """A run that is interrupted at its start leaves no file behind."""
    write_archive(tmp_path / "a.avro", [avro_event()])
    process = started(["-m", *RUN, *flags], tmp_path)
    await_line(process, "reading a.avro …")
    assert interrupted(process) == (130, [SENTENCE])
    assert leftovers(tmp_path, process.pid) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_while_workers_start(workers: int, tmp_path: Path) -> None:
    """No worker process prints a traceback or keeps running after the program ends."""
    write_archive(tmp_path / "a.avro", [avro_event()])
    process = started(["-m", *RUN, *TWO_PROCESSES], tmp_path)
    await_line(process, "reading a.avro …")
    await_true(lambda: len(noted_workers(tmp_path)) >= workers)
    assert interrupted(process) == (130, [SENTENCE])
    assert leftovers(tmp_path, process.pid) == []


def test_ctrl_c_while_workers_work(tmp_path: Path) -> None:
    """If a run is interrupted in the middle of its input, it ends at once."""
    events = [avro_event(event_id=str(i), conversation_id=str(i)) for i in range(20_000)]
    write_archive(tmp_path / "a.avro", events)
    again = ["--input=a.avro"] * 50
    process = started(["-m", *RUN, *again, *TWO_PROCESSES], tmp_path)
    await_line(process, "s …")
    assert interrupted(process) == (130, [SENTENCE])
    assert leftovers(tmp_path, process.pid) == []


THREAD_FAILS_FIRST: Final = """
import os, signal, threading, time
from pipelines.terminal import interrupts

def fail():
    raise RuntimeError("the child process ended with code -2")

interrupts.tell_interrupts()
with interrupts.raised_while_working():
    threading.Thread(target=fail).start()
    time.sleep(0.3)
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_a_thread_that_fails_just_before_the_program_notices_ctrl_c(tmp_path: Path) -> None:
    """The thread prints no traceback, because Ctrl-C is why it failed."""
    process = started(["-c", THREAD_FAILS_FIRST], tmp_path)
    assert process.communicate() == ("interrupted\n", "")


def test_a_thread_that_fails_without_ctrl_c_prints_its_error(tmp_path: Path) -> None:
    """An error in a thread is not lost if no Ctrl-C follows."""
    program = THREAD_FAILS_FIRST.replace("os.kill(os.getpid(), signal.SIGINT)", "pass")
    _, errors = started(["-c", program], tmp_path).communicate()
    assert errors.endswith("RuntimeError: the child process ended with code -2\n")


def noted_workers(folder: Path) -> list[str]:
    """Returns the ids of the workers that have started."""
    return [path.name for path in (folder / "temporary").glob("undertone-workers-*/*")]
