"""Checks the runbook's commands.

Our own commands are checked with our parsers. Google's are checked with the lists that Google's
tools have of their commands.
"""

from __future__ import annotations

import importlib.util
import json
import re
import runpy
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from deploy.local.processes import ServiceError
from pipelines import backfill, judge, publish, stream
from pipelines.beam_options import beam_options
from pipelines.commands import main as cli
from tests.services import have

ROOT: Final = Path(__file__).parents[2]
RUNBOOK: Final = (ROOT / "deploy" / "runbook.md").read_text("utf-8")
CLOUD: Final = "☁"
_BLOCK: Final = re.compile(r"^ *```sh\n(?P<body>.*?)^ *```$", re.DOTALL | re.MULTILINE)
_HEADING: Final = re.compile(r"^#+ .*$", re.MULTILINE)


class Command(NamedTuple):
    """One command of the runbook, and whether the runbook says that it needs the cloud."""

    words: tuple[str, ...]
    is_cloud: bool


def commands() -> Iterator[Command]:
    """Yields the commands of all blocks.

    A block needs the cloud if the text before the block has a ☁.
    """
    end = 0
    for block in _BLOCK.finditer(RUNBOOK):
        heading = max((m.end() for m in _HEADING.finditer(RUNBOOK, 0, block.start())), default=0)
        is_cloud = CLOUD in RUNBOOK[max(end, heading) : block.start()]
        end = block.end()
        for line in block["body"].splitlines():
            words: list[str] = []
            for word in [*shlex.split(line, comments=True), "|"]:
                if word != "|":
                    words.append(word)
                elif words:
                    yield Command(tuple(words), is_cloud)
                    words = []


COMMANDS: Final = tuple(commands())


def of_program(*names: str) -> pytest.MarkDecorator:
    """Returns a mark that runs a test once for each command of these programs."""
    chosen = [c for c in COMMANDS if c.words[0] in names]
    assert chosen
    return pytest.mark.parametrize("command", chosen, ids=lambda c: " ".join(c.words)[:60])


def completions() -> Path:
    """Returns the folder in which the Google Cloud CLI lists its commands."""
    gcloud = shutil.which("gcloud")
    folder = Path(gcloud or "").resolve().parents[1] / "data" / "cli"
    if not (folder / "gcloud_completions.py").is_file():
        raise ServiceError(
            f"the Google Cloud CLI's completions are not in {folder}; install the Google Cloud CLI"
        )
    return folder


@cache
def cloud_trees() -> dict[str, Any]:
    """Returns the commands and flags of the Google Cloud CLI, from its completions."""
    folder = have(completions)
    gcloud_tree = runpy.run_path(str(folder / "gcloud_completions.py"))
    return {
        "gcloud": gcloud_tree["STATIC_COMPLETION_CLI_TREE"],
        "bq": json.loads((folder / "bq.json").read_text("utf-8")),
    }


def flags_of_bq(command: Command) -> set[str]:
    """Returns a bq command's flags from its help, because the completions leave the flags out."""
    if command.words[0] != "bq":
        return set()
    ran = subprocess.run(
        ["bq", "help", command.words[1]], capture_output=True, text=True, timeout=60, check=False
    )
    return {f"--{name}" for name in re.findall(r"--(?:\[no\])?(\w+)", ran.stdout)}


def test_commands_are_found() -> None:
    """The runbook has more than 20 commands, some for the cloud and some not."""
    assert len(COMMANDS) > 20
    assert {command.is_cloud for command in COMMANDS} == {True, False}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: " ".join(c.words)[:60])
def test_a_command_that_needs_the_cloud_is_marked(command: Command) -> None:
    """This module's tests check every program; those that need the cloud are marked."""
    ours, clouds = {"undertone", "python", "make"}, {"gcloud", "bq", "terraform", "openssl"}
    assert command.words[0] in ours | clouds
    assert command.is_cloud or command.words[0] in ours


@of_program("undertone")
def test_our_commands_parse(command: Command) -> None:
    """Our command line accepts each command as the runbook writes it."""
    words = [word for word in command.words[1:] if word != "--help"]
    if words == list(command.words[1:]):
        assert cli._parser().parse_known_args(words)[1] == []
    else:
        with pytest.raises(SystemExit, match="0"):
            cli._parser().parse_known_args(command.words[1:])


@of_program("python")
def test_our_modules_take_their_flags(command: Command) -> None:
    """The module of each command exists, and each flag is one of ours or of Beam's."""
    assert command.words[1] == "-m"
    module, *flags = command.words[2:]
    assert importlib.util.find_spec(module) is not None
    parsers: dict[str, Callable[[], Any]] = {
        "pipelines.backfill": backfill.parser, "pipelines.judge": judge.parser,
        "pipelines.publish": publish.parser, "pipelines.stream": stream.parser,
    }  # fmt: skip
    if module in parsers:
        _, rest = parsers[module]().parse_known_args(flags)
        beam_options(rest)


@of_program("make")
def test_targets_exist(command: Command) -> None:
    """The Makefile has each target that the runbook names."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(rf"^{command.words[1]}:", makefile, re.MULTILINE)


@of_program("gcloud", "bq")
def test_the_clouds_commands_and_flags_exist(command: Command) -> None:
    """The tool's tree has each command, and has each flag at the command or one of its parents."""
    tree = cloud_trees()[command.words[0]]
    flags = set(tree["flags"])
    for word in command.words[1:]:
        if word.startswith("--"):
            continue
        if word not in tree["commands"]:
            break
        tree = tree["commands"][word]
        flags |= set(tree["flags"])
    assert not tree["commands"], f"{command.words} is not a complete command"
    for word in command.words[1:]:
        if word.startswith("--"):
            assert word.split("=")[0] in flags | flags_of_bq(command), word


@of_program("terraform")
def test_terraform_runs_in_the_modules_folder(command: Command) -> None:
    """Each Terraform command names the module's folder and a known subcommand."""
    assert command.words[1] == "-chdir=deploy/terraform"
    assert command.words[2] in {"init", "apply", "output", "plan"}
