"""Flags may be written with dashes instead of underscores."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from pipelines import backfill, stream
from pipelines.commands.main import main
from pipelines.sinks.archive import write_archive
from pipelines.terminal.flags import underscored
from schemas.failures import InputError
from tests.builders import avro_event

COMMANDS = (
    ["run"], ["import"], ["simulate"], ["report"], ["classify"], ["create"], ["publish"],
    ["status"], ["dead-letters", "list"], ["dead-letters", "redrive"],
)  # fmt: skip

SECRET = "--secret=projects/p/secrets/s/versions/1"


def test_only_names_of_flags_change() -> None:
    """Values, other words and all words after a lone `--` do not change."""
    given = ["dead-letters", "--dry-run", "--input-x=a-b--c", "-x-y", "--", "--own-data"]
    expected = ["dead-letters", "--dry_run", "--input_x=a-b--c", "-x-y", "--", "--own-data"]
    assert underscored(given) == expected


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_flag_of_a_command(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """No flag of a command has a dash in its name, so each can be written with dashes."""
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    flags = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", capsys.readouterr().out))
    for flag in flags:
        assert underscored([flag.replace("_", "-")]) == [flag]


@pytest.mark.parametrize("parser", [stream.parser(), backfill.parser()], ids=["stream", "backfill"])
def test_every_flag_of_a_main(parser: argparse.ArgumentParser) -> None:
    """No flag of the deployed jobs has a dash in its name."""
    flags = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", parser.format_help()))
    for flag in flags:
        assert underscored([flag.replace("_", "-")]) == [flag]


def test_dashes_in_a_run(tmp_path: Path) -> None:
    """A run accepts dashes in its own flags and in Beam's."""
    write_archive(tmp_path / "a.avro", [avro_event()])
    flags = ["--own-data", "--session-gap=2h", "--direct-num-workers=1"]
    assert main(["run", f"--input={tmp_path}/a.avro", f"--output={tmp_path}/run", *flags]) == 0


def test_dashes_in_the_stream() -> None:
    """The stream accepts a flag with dashes, and reports only its wrong value."""
    flags = ["--subscription=projects/p/subscriptions/s", "--dataset=p.d", SECRET]
    with pytest.raises(InputError, match="max_event_bytes must be at least 1024, got 1"):
        stream.run([*flags, "--max-event-bytes=1"])


def test_dashes_in_a_backfill() -> None:
    """A backfill accepts a flag with dashes, and reports only its wrong value."""
    flags = ["--from=7d", "--to=1d", "--input=a.avro", "--dataset=p.d", SECRET]
    with pytest.raises(InputError, match="max_event_bytes must be at least 1024, got 1"):
        backfill.run([*flags, "--max-event-bytes=1"])
