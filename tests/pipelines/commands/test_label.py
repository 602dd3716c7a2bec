"""`undertone label` as a real process, and its other outputs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from pipelines.commands.main import main
from pipelines.labelling.formats import read_labels
from tests.pipelines.labelling.readings import CANARY, reading
from tests.pipelines.processes import interrupted, started

_ADDRESS: Final = re.compile(r"open (http://127\.0\.0\.1:\d+/\S+/)$")


def chats(folder: Path, *ids: Any) -> Path:
    """Writes a file of conversations with these ids."""
    path = folder / "chats.jsonl"
    turns = [
        {"role": "system", "text": "be kind"},
        {"role": "user", "text": CANARY},
        {"role": "assistant", "text": "hm"},
    ]
    path.write_text(
        "".join(json.dumps({"id": name, "turns": turns}) + "\n" for name in ids), "utf-8"
    )
    return path


@contextmanager
def labelling(folder: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Starts the command; gives its process and the address that it prints."""
    argv = ["-m", "pipelines.commands.program", "label", "chats.jsonl", *flags]
    with started(argv, folder) as process:
        assert process.stderr
        (address,) = _ADDRESS.findall(process.stderr.readline().rstrip())
        try:
            yield process, address
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def ask(address: str, path: str, content: Any = None) -> Any:
    """Gets a path of the page, or posts to it."""
    origin = address.rsplit("/", 2)[0]
    headers = {"Origin": origin, "Content-Type": "application/json"}
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(address + path, body, headers)
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.loads(response.read())


def save(address: str, place: int, use: str = "work") -> None:
    """Labels one conversation."""
    ask(address, "save", {"place": place, "answer": {"use": use}})


def sentence(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """Returns the sentence with which a command fails."""
    assert main([str(argument) for argument in argv]) == 2
    return capsys.readouterr().err.strip().removeprefix("undertone: ")


def test_labelling_goes_on_after_a_kill(tmp_path: Path) -> None:
    """What was labelled before kill -9 is on disk, and the next start asks for the rest."""
    chats(tmp_path, "a", "b", "c")
    with labelling(tmp_path) as (process, address):
        save(address, 0)
        save(address, 2, "learning")
        process.send_signal(signal.SIGKILL)
        process.wait()
        with pytest.raises(urllib.error.URLError):
            ask(address, "next")
    with labelling(tmp_path) as (_, again):
        assert again != address
        found = ask(again, "next")
        assert (found["place"], found["progress"]) == (1, {"done": 2, "total": 3})
        assert [turn["text"] for turn in found["turns"]] == [CANARY, "hm"]
    assert [each.use for each in read_labels(tmp_path / "labels.jsonl")] == ["work", "learning"]


def test_ctrl_c_ends_labelling(tmp_path: Path) -> None:
    """It says how far the reader has come, with neither text nor traceback."""
    chats(tmp_path, "a", "b")
    with labelling(tmp_path, "--reader", "bo") as (process, address):
        save(address, 1)
        code, lines = interrupted(process)
    assert code == 130
    assert lines[-2:] == [
        "undertone: 1 of 2 conversations labelled in labels.jsonl",
        "undertone: interrupted",
    ]
    assert CANARY not in "".join(lines)
    (saved,) = read_labels(tmp_path / "labels.jsonl")
    assert (saved.conversation, saved.started_at_us, saved.reader) == ("b", 0, "bo")


def test_two_readers_label_at_the_same_time(tmp_path: Path) -> None:
    """Two processes share a file of labels, and either shows the agreement of both."""
    chats(tmp_path, *range(5))
    with (
        labelling(tmp_path, "--reader", "ana") as (_, ana),
        labelling(tmp_path, "--reader", "bo") as (_, bo),
    ):
        for place in range(5):
            save(ana, place)
            save(bo, place, "work" if place else "other")
        (pair,) = ask(ana, "agreement")
        assert ask(bo, "agreement") == [pair]
    found = {each["question"]: each["agreed"] for each in pair["questions"]}
    assert (found["use"], found["affective"]) == (4, 5)
    assert len(read_labels(tmp_path / "labels.jsonl")) == 10


def test_agreement_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--agreement` prints kappa and the count for each question and pair of readers."""
    path = tmp_path / "labels.jsonl"
    rows = [
        reading(number, reader=reader, use=use)
        for reader, uses in (("ana", ("work", "other")), ("bo", ("work", "leisure")))
        for number, use in enumerate(uses)
    ]
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    assert main(["label", "--agreement", "--labels", str(path)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[:3] == [
        "ana and bo",
        "question              kappa   alike",
        "affective                 –  2 of 2",
    ]
    assert "use                    0.33  1 of 2" in printed


def test_agreement_needs_two_readers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With one reader there is nothing to compare, and the command says so."""
    path = tmp_path / "labels.jsonl"
    path.write_bytes(msgspec.json.encode(reading(reader="ana")))
    assert main(["label", "--agreement", "--labels", str(path)]) == 0
    assert "fewer than two readers" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("tool", "beside"),
    [("label-studio", "tasks.config.xml"), ("argilla", "tasks.settings.json")],
)
def test_an_export_holds_text_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tool: str, beside: str
) -> None:
    """The file for another tool can be read by its owner alone; the questions hold no text."""
    output = tmp_path / "tasks.json"
    argv = ["label", chats(tmp_path, "a", "b"), "--export", tool, "--output", output]
    assert main([str(argument) for argument in argv]) == 0
    assert f"{output} holds the text of conversations" in capsys.readouterr().err
    assert len(json.loads(output.read_text("utf-8"))) == 2
    assert output.read_text("utf-8").count(CANARY) == 2
    assert output.stat().st_mode & 0o777 == 0o600
    assert CANARY not in (tmp_path / beside).read_text("utf-8")


def test_mistakes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each mistake is one sentence that says what to do."""
    path = chats(tmp_path, "a", "a")
    assert "name what to label: a file of conversations" in sentence(capsys, "label")
    assert "conversation 2 of chats.jsonl has the id of an earlier" in sentence(
        capsys, "label", path
    )
    chats(tmp_path, "a")
    assert "is also the input" in sentence(capsys, "label", path, "--labels", path)
    assert "does not exist" in sentence(capsys, "label", path, "--labels", tmp_path / "x/y.jsonl")
    assert "--reader must be" in sentence(capsys, "label", path, "--reader", "a\nb")
    assert "add --output" in sentence(capsys, "label", path, "--export", "argilla")
    assert "port 99999 is not free" in sentence(
        capsys, "label", path, "--labels", tmp_path / "l.jsonl", "--port", "99999"
    )
