"""The command line as users see it: tables, reports and one-sentence errors."""

from __future__ import annotations

import gzip
import json
import logging
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.beam_options import local_flags, local_workers
from pipelines.commands.main import main
from pipelines.sinks.archive import write_archive, write_json_lines
from tests import shared_data
from tests.builders import avro_event
from tests.pipelines.timelines import said
from transforms.facets.lengths import length_of
from transforms.publishing.policy import Policy

CANARY = "zanzibar-quetzal-7731"
HOUR_US = 3_600_000_000
DEFAULT = "--classifier=default"
"""Fixes the classifier, so that results do not depend on the number of cores."""


def run(tmp_path: Path, *inputs: Path, own_data: bool = True) -> Path:
    """Runs the local job over files and returns its output folder."""
    folder = tmp_path / "run"
    flags = [f"--input={path}" for path in inputs] + ["--own_data"] * own_data + [DEFAULT]
    assert main(["run", *flags, f"--output={folder}"]) == 0
    return folder


def query(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Queries what a run published."""
    with duckdb.connect(str(folder / "undertone.duckdb"), read_only=True) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
        return rows


def restricted(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Queries the exact numbers of a run."""
    return query(folder / "restricted", sql)


def sentence(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Runs a command that must fail with a one-sentence error, and returns that sentence."""
    assert main(argv) == 2
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("undertone:")]
    assert "Traceback" not in "".join(lines)
    return lines[-1].removeprefix("undertone: ")


def test_a_simulation_becomes_a_report(tmp_path: Path) -> None:
    """The two commands of `make demo` write an archive, tables and a report."""
    archive = tmp_path / "archive"
    assert main(["simulate", "--conversations=300", "--days=1", f"--output={archive}"]) == 0
    folder = run(tmp_path, archive / "events-00000.avro", own_data=False)
    assert "<svg" in (folder / "report.html").read_text("utf-8")
    ((conversations,),) = query(
        folder,
        "select conversations from aggregates_current where window_kind = 'range' "
        "and breakdown = 'overall' and facet = 'all'",
    )
    assert conversations >= 300 - Policy().max_noise


def test_a_report_is_written_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`report` recreates a deleted report from the run's folder."""
    archive = tmp_path / "a.avro"
    write_archive(archive, [avro_event()])
    folder = run(tmp_path, archive)
    (folder / "report.html").unlink()
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").exists()
    assert "report:" in capsys.readouterr().out


def test_a_run_replaces_only_another_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second run replaces the output of the first.

    A folder with other files and no run is refused, and its files are unchanged.
    """
    archive = tmp_path / "a.avro"
    write_archive(archive, [avro_event()])
    run(tmp_path, archive)
    run(tmp_path, archive)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"meow")
    error = sentence(capsys, "run", f"--input={archive}", f"--output={tmp_path / 'photos'}")
    assert "photos holds something other than an Undertone run" in error
    assert (tmp_path / "photos" / "cat.jpg").exists()


def test_a_run_keeps_other_files_in_its_folder(tmp_path: Path) -> None:
    """Other files in a run's folder, such as notes, are still there after the next run."""
    archive = tmp_path / "a.avro"
    write_archive(archive, [avro_event()])
    notes = run(tmp_path, archive) / "notes.txt"
    notes.write_text("seen on Monday")
    run(tmp_path, archive)
    assert notes.read_text() == "seen on Monday"


def test_patterns_and_odd_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern without a folder finds files in the working folder.

    Brackets are literal in the name of a file that exists.
    """
    write_archive(tmp_path / "a [1] of 2.avro", [avro_event()])
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--input=*.avro", "--output=one", "--own_data", DEFAULT]) == 0
    assert main(["run", "--input=a [1] of 2.avro", "--output=two", "--own_data", DEFAULT]) == 0
    for name in ("one", "two"):
        assert restricted(tmp_path / name, "select sum(records) from ledger where account = 'read'")


def test_equal_runs_give_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs over the same events write the same Parquet bytes, whether in one process or in two."""
    monkeypatch.setattr("pipelines.options.wall_clock_us", lambda: 1)
    assert main(["simulate", "--conversations=400", "--days=1", f"--output={tmp_path / 'a'}"]) == 0
    two = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    written = []
    for name, flags in (("one", []), ("again", []), ("two", two)):
        folder = tmp_path / name
        argv = ["run", f"--input={tmp_path / 'a'}/*.avro", f"--output={folder}", DEFAULT, *flags]
        assert main(argv) == 0
        files = sorted((folder / "tables").iterdir())
        written.append([(path.name, path.read_bytes()) for path in files])
    assert written[0] == written[1] == written[2]


def canary_inputs(folder: Path) -> Iterator[Path]:
    """Yields one input file per format; the texts of good and bad events contain `CANARY`."""
    text = f"my secret is {CANARY}"
    events = [
        *(avro_event(event_id=f"ok{i}", text=text) for i in range(9)),
        avro_event(event_id="", text=text),
        avro_event(event_id="late", text=text, published_at_us=4_000_000_000_000_000),
        avro_event(event_id=text, conversation_id=text, role="NOBODY", text=text),
        avro_event(event_id="attribute", platform=text * 9, text=text),
    ]
    write_archive(folder / "events.avro", events)
    yield folder / "events.avro"
    write_json_lines(folder / "events.jsonl", [e for e in events if len(e["event_id"]) < 20])
    with (folder / "events.jsonl").open("ab") as lines:
        lines.write(f'{{"text": "{text}", "sent_at_us": NaN}}\n{{"text": "{text}'.encode())
        lines.write(b'"\xff}\n')
    yield folder / "events.jsonl"


def test_no_text_in_any_output(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A run never writes, logs or prints `CANARY`, which is in the texts of its input."""
    caplog.set_level(logging.DEBUG)
    folder = run(tmp_path, *canary_inputs(tmp_path))
    ((dead,),) = restricted(folder, "select count(*) from dead_letters")
    assert dead >= 7
    for path in folder.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path.name
    rows = [
        row
        for where, table in (
            (folder, "aggregates"), (folder, "figures"), (folder / "restricted", "counts"),
            (folder / "restricted", "dead_letters"), (folder / "restricted", "ledger"),
        )
        for row in query(where, f"select * from {table}")
    ]  # fmt: skip
    printed = "".join(capfd.readouterr())
    assert CANARY not in f"{rows} {caplog.text} {printed}"


def test_no_text_in_a_failing_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A run over a truncated archive fails with one sentence.

    It quotes no text and leaves no folder.
    """
    caplog.set_level(logging.DEBUG)
    whole, cut = tmp_path / "whole.avro", tmp_path / "cut.avro"
    write_archive(whole, [avro_event(event_id=str(i), text=CANARY * 40) for i in range(50)])
    cut.write_bytes(whole.read_bytes()[:-300])
    assert main(["run", f"--input={cut}", f"--output={tmp_path / 'run'}"]) == 2
    printed = "".join(capfd.readouterr())
    assert "cut.avro is damaged or cut short" in printed
    assert CANARY not in printed + caplog.text
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--min_users=0", "min_users must be at least 1, got 0"),
        (
            "--max_conversations_per_user=0",
            "max_conversations_per_user must be between 1 and 10000, got 0",
        ),
        ("--max_event_bytes=1", "max_event_bytes must be at least 1024, got 1"),
        ("--input=nothing.avro", "no file matches nothing.avro"),
        ("--input=chats.txt", "does not end in one of .avro, .jsonl"),
        ("--min_user=50", "neither Undertone nor Beam has a flag --min_user=50"),
        ("--direct_num_workers=0", "direct_num_workers must be at least 1, got 0"),
    ],
)
def test_a_wrong_flag_is_one_sentence(
    flag: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error for a wrong flag shows the given value and says what is allowed."""
    archive = tmp_path / "a.avro"
    write_archive(archive, [avro_event()])
    flags = [f"--output={tmp_path / 'run'}", f"--input={archive}", flag]
    assert expected in sentence(capsys, "run", *flags)


def test_a_very_long_conversation_is_counted(tmp_path: Path) -> None:
    """All 100,000 messages of one conversation are in the ledger.

    The conversation counts as long.
    """
    archive = tmp_path / "a.avro"
    start_us = avro_event()["sent_at_us"]
    events = (
        avro_event(
            event_id=str(i), role=("HUMAN", "ASSISTANT")[i % 2], text="hm",
            sent_at_us=start_us + i * 1_000_000, published_at_us=None,
        )
        for i in range(100_000)
    )  # fmt: skip
    write_archive(archive, events)
    folder = run(tmp_path, archive)
    ledger = dict(restricted(folder, "select account, sum(records) from ledger group by 1"))
    assert ledger["read"] == ledger["counted"] + ledger["sampled"] == 100_000
    long_conversations = query(
        folder,
        "select conversations from aggregates_current where facet = 'long' "
        "and window_kind = 'day' and breakdown = 'overall' and facet_value = 'all'",
    )
    assert long_conversations == [(1,)]


def test_real_conversations_match_ten_lines_of_python(tmp_path: Path) -> None:
    """For real conversations, the job gives the same counts as a short script.

    The script uses none of the job's code.
    """
    chats = shared_data.require(shared_data.REAL)
    lengths: Counter[int] = Counter()
    with gzip.open(chats, "rt", encoding="utf-8") as lines:
        for line in lines:
            lengths[sum(turn["role"] == "human" for turn in json.loads(line)["turns"])] += 1
    archive = tmp_path / "real.avro"
    assert main(["import", str(chats), f"--output={archive}"]) == 0
    folder = run(tmp_path, archive)
    day = "window_kind = 'day' and facet = 'all'"
    histogram = query(
        folder,
        "select breakdown_value, sum(conversations) from aggregates_current "
        f"where {day} and breakdown = 'length' group by 1",
    )
    expected: Counter[str] = Counter()
    for length, count in lengths.items():
        expected[length_of(length)] += count
    assert dict(histogram) == expected
    assert sum(expected.values()) == 1633
    ledger = dict(restricted(folder, "select account, sum(records) from ledger group by 1"))
    assert ledger["read"] == ledger["counted"] == 10_800
    long_conversations = query(
        folder,
        "select coalesce(sum(conversations), 0) from aggregates_current where facet = 'long' "
        "and window_kind = 'range' and breakdown = 'overall' and facet_value = 'all'",
    )
    assert long_conversations == [(sum(n for length, n in lengths.items() if length > 50),)]


def test_classify_counts_the_human_messages(tmp_path: Path) -> None:
    """For a real conversation, `classify` reports as many human messages as the input file has."""
    chats = shared_data.require(shared_data.REAL)
    plain = tmp_path / "chats.jsonl"
    plain.write_bytes(gzip.decompress(chats.read_bytes()))
    out = tmp_path / "out.jsonl"
    assert main(["classify", str(plain), f"--output={out}", DEFAULT]) == 0
    with plain.open() as asked, out.open() as answered:
        for question, answer in zip(asked, answered, strict=True):
            turns = json.loads(question)["turns"]
            human = sum(turn["role"] == "human" for turn in turns)
            assert json.loads(answer)["human_messages"] == human


def test_classify_writes_the_expected_keys(tmp_path: Path) -> None:
    """`classify` writes one object per line, in order, with the expected keys."""
    chats, out = tmp_path / "chats.jsonl", tmp_path / "out.jsonl"
    turns = [{"role": "human", "text": "hi"}, {"role": "assistant", "text": "Hello!"}]
    lines = [{"id": i, "turns": turns * i, "extra": None} for i in range(3)]
    chats.write_text("\n".join(json.dumps(line) for line in lines))
    assert main(["classify", str(chats), f"--output={out}", DEFAULT]) == 0
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert [answer["id"] for answer in answers] == [0, 1, 2]
    assert set(answers[1]) == {
        "id", "affective", "alert", "types", "labels", "use", "opening_type", "closing_type",
        "sentiment_start", "sentiment_end", "pushback", "pushback_reason", "human_messages",
        "long",
    }  # fmt: skip
    assert all(0 <= share <= 1 for share in answers[2]["types"].values())


def test_an_output_is_not_written_over_its_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`classify` and `import` refuse to overwrite their input file."""
    chats = tmp_path / "chats.jsonl"
    chats.write_text('{"id": 1, "turns": []}\n')
    for command in ("classify", "import"):
        assert "is also the input" in sentence(capsys, command, str(chats), f"--output={chats}")
    assert chats.read_text() == '{"id": 1, "turns": []}\n'


def test_a_missing_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If the output folder does not exist, a one-sentence error gives its path."""
    chats = tmp_path / "chats.jsonl"
    chats.write_text('{"id": 1, "turns": []}\n')
    output = tmp_path / "nowhere" / "out.jsonl"
    assert str(output.parent) in sentence(capsys, "classify", str(chats), f"--output={output}")


def test_classify_names_the_bad_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If a line is not a conversation, the error gives the line number and quotes no text."""
    chats = tmp_path / "chats.jsonl"
    chats.write_text(f'{{"id": 1, "turns": []}}\n{{"turns": "{CANARY}"}}\n')
    answer = sentence(capsys, "classify", str(chats), f"--output={tmp_path / 'out.jsonl'}")
    assert "chats.jsonl line 2" in answer
    assert CANARY not in answer


@pytest.mark.parametrize("prior", ["2", "klingon=0.1", "zh=often"])
def test_classify_refuses_a_wrong_prior(
    prior: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong prior is refused with one sentence that shows the given value."""
    chats = tmp_path / "chats.jsonl"
    chats.write_text('{"id": 1, "turns": []}\n')
    flags = [f"--output={tmp_path / 'out.jsonl'}", f"--prior={prior}"]
    assert prior in sentence(capsys, "classify", str(chats), *flags)


def test_one_run_reads_avro_and_json_lines(tmp_path: Path) -> None:
    """A conversation with one message in each of two files counts once, with two messages."""
    write_archive(tmp_path / "a.avro", [said("1", 0, text="hello")])
    write_json_lines(tmp_path / "b.jsonl", [said("2", 60, text="again")])
    folder = run(tmp_path, tmp_path / "a.avro", tmp_path / "b.jsonl")
    sql = "select distinct breakdown_value from aggregates_current where breakdown = 'length'"
    assert query(folder, sql) == [("2",)]


def test_a_large_input_uses_all_cores() -> None:
    """A large input uses all cores, unless the user chooses a runner or a number of workers."""
    large = 1_000_000_000
    chosen = ["--direct_num_workers=1"]
    assert local_flags([], 1_000) == []
    assert local_flags(chosen, large) == chosen
    added = local_flags([], large)
    assert added == [] or "--direct_running_mode=multi_processing" in added
    assert local_flags([], 1_000, encoder_s=60) == added


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], os.cpu_count()),
        (["--direct_num_workers=3"], 3),
        (["--direct_num_workers", "3"], 3),
        (["--direct_running_mode=in_memory"], 1),
        (["--runner=FlinkRunner"], None),
    ],
)
def test_the_number_of_workers_follows_the_flags(flags: list[str], expected: int | None) -> None:
    """A run may use all cores or the chosen number of workers; a named runner has its own."""
    assert local_workers(flags) == expected
