"""Tests judging the folder of a local run: what is kept, what survives a kill, and no text."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any, Final

import pytest

from pipelines.commands.main import main
from pipelines.judges.accurate import ClassifierJudge
from pipelines.judging.folder import Counted, JudgedFolder, Transcripts, opened
from pipelines.judging.work import JudgeStoppedError, Tally
from pipelines.local import republish
from pipelines.sinks.archive import write_archive
from pipelines.sinks.database import query_run
from schemas.failures import InputError
from schemas.judged import SampleRow
from tests.builders import GAP_US, MONDAY_US, OPERATOR_SECRET, PSEUDONYMS, SECOND_US, avro_event
from tests.pipelines.judging.judges import SimpleJudge
from tests.pipelines.judging.slow_judge import WAITING
from tests.pipelines.processes import await_line, started
from transforms.classifiers import load_default
from transforms.conversation.pseudonyms import Pseudonyms

SAID: Final = "zanzibar-quetzal-7731"
CONVERSATIONS: Final = 30
"""They begin on three days, ten on each."""


def events() -> list[dict[str, Any]]:
    """Builds conversations of two to four human messages; each has a text that is easy to find."""
    return [
        avro_event(
            event_id=f"{number}-{at}",
            conversation_id=f"c{number}",
            user_id=f"u{number}",
            text=f"I feel lonely since she left me, {SAID}",
            sent_at_us=MONDAY_US + number % 3 * GAP_US + at * SECOND_US,
        )
        for number in range(CONVERSATIONS)
        for at in range(2 + number % 3)
    ]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Counts an archive once; the folder has `a.avro` and `run`."""
    folder = tmp_path_factory.mktemp("counted")
    write_archive(folder / "a.avro", events())
    flags = ["--own_data", "--classifier=default", f"--output={folder / 'run'}"]
    assert main(["run", f"--input={folder / 'a.avro'}", *flags]) == 0
    return folder


@pytest.fixture
def place(counted: Path, tmp_path: Path) -> Path:
    """Returns a copy of the counted folder."""
    return Path(shutil.copytree(counted, tmp_path / "copy"))


def chosen(judged: JudgedFolder, budget: int = 500) -> list[SampleRow]:
    """Chooses a sample with the secret of the tests."""
    return judged.choose_sample(budget, 1, PSEUDONYMS.key_id)


def judge(place: Path, judge: Any, budget: int = 500, archive: str = "a.avro") -> Tally:
    """Judges the run in a folder."""
    transcripts = Transcripts([str(place / archive)], PSEUDONYMS, Counted.read(place / "run"))
    with opened(place / "run") as judged:
        return judged.judge(chosen(judged, budget), transcripts, judge, lambda: 1)


def rows(place: Path, view: str) -> list[dict[str, Any]]:
    """Returns the rows of a view of the exact numbers, after publishing again."""
    republish(place / "run", Counted.read(place / "run").policy, 2)
    return query_run(place / "run", f"SELECT * FROM `{{restricted}}.{view}`")


def test_each_sampled_conversation_is_judged_in_full(place: Path) -> None:
    """The judge sees as many human messages as were counted, and its labels are in the tables."""
    tally = judge(place, ClassifierJudge(load_default()))
    assert (tally.sampled, tally.statuses) == (CONVERSATIONS, {"judged": CONVERSATIONS})
    sampled = {row["conversation"]: row for row in rows(place, "sample_current")}
    judged = {row["conversation"]: row for row in rows(place, "judgements_current")}
    assert sampled.keys() == judged.keys()
    for conversation, row in judged.items():
        for column in ("started_at", "human_messages", "use", "types", "opening_type"):
            assert row[column] == sampled[conversation][column]


def test_the_budget_holds_for_the_run(place: Path) -> None:
    """At most that many conversations are judged. A larger budget adds to them."""
    small = SimpleJudge()
    judge(place, small, budget=12)
    assert len(rows(place, "sample_current")) == 12
    large = SimpleJudge()
    tally = judge(place, large, budget=21)
    assert (tally.sampled, tally.known, len(large.asked)) == (21, 12, 9)
    assert not set(small.asked) & set(large.asked)


def test_a_second_run_judges_and_writes_nothing(place: Path) -> None:
    """Sample and judgements stay the same bytes."""
    judge(place, SimpleJudge())
    files = sorted((place / "run" / "restricted" / "tables").glob("[js]*"))
    before = [file.read_bytes() for file in files]
    again = SimpleJudge()
    assert str(judge(place, again)).startswith("30 sampled: 30 judged before, 0 judged")
    assert again.asked == []
    assert [file.read_bytes() for file in files] == before


def test_a_stopped_judge_goes_on(place: Path) -> None:
    """What was judged before the money was spent stays, and is not paid for again."""
    first, second = SimpleJudge(most=11), SimpleJudge()
    with pytest.raises(JudgeStoppedError, match="the money is spent"):
        judge(place, first)
    assert judge(place, second).known == 11
    assert sorted(first.asked + second.asked) == sorted(
        row["conversation"] for row in rows(place, "judgements")
    )


def test_a_killed_process_loses_and_repeats_nothing(place: Path, tmp_path: Path) -> None:
    """After kill -9 the next run judges exactly the rest."""
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_bytes(OPERATOR_SECRET)
    argv = ["-m", "tests.pipelines.judging.slow_judge", str(place / "run"), str(place / "a.avro")]
    with started([*argv, str(secret), "13"], tmp_path) as process:
        try:
            await_line(process, WAITING)
            with pytest.raises(InputError, match="another process judges"):
                judge(place, SimpleJudge())
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    journal = place / "run" / "restricted" / "judgements.jsonl"
    assert journal.read_bytes().count(b"\n") == 13
    resumed = SimpleJudge()
    tally = judge(place, resumed)
    assert (tally.known, len(resumed.asked)) == (13, CONVERSATIONS - 13)
    judged = [row["conversation"] for row in rows(place, "judgements")]
    assert (len(judged), len(set(judged))) == (CONVERSATIONS, CONVERSATIONS)
    assert not journal.exists()


def test_no_file_and_no_output_has_text(
    place: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """What people wrote is in the archive, but in no file of the run, no output and no log."""
    judge(place, ClassifierJudge(load_default()))
    rows(place, "sample_current")
    files = [file for file in (place / "run").rglob("*") if file.is_file()]
    assert len(files) > 10
    assert not [file for file in files if SAID.encode() in file.read_bytes()]
    shown = capfd.readouterr()
    assert SAID not in shown.out + shown.err + caplog.text


def test_publishing_again_gives_the_same_numbers(place: Path) -> None:
    """The tables for analysts are made anew, and the counted ones stay untouched."""
    aggregates = (
        "SELECT * EXCEPT (attempt) FROM `{dataset}.aggregates` ORDER BY 1, 2, 3, 4, 5, 6, 7, 8"
    )
    counts = next((place / "run" / "restricted" / "tables").glob("counts-*"))
    before = query_run(place / "run", aggregates), counts.stat().st_mtime_ns
    (place / "run" / "report.html").unlink()
    republish(place / "run", Counted.read(place / "run").policy, 2)
    assert (query_run(place / "run", aggregates), counts.stat().st_mtime_ns) == before
    assert (place / "run" / "report.html").exists()


def test_another_secret_is_refused(place: Path) -> None:
    """With another secret no conversation could be found again."""
    with (
        opened(place / "run") as judged,
        pytest.raises(InputError, match=r"were counted with the secret .*--secret"),
    ):
        judged.choose_sample(500, 1, Pseudonyms(b"another secret, 16+").key_id)


def test_the_wrong_archive_is_refused(place: Path) -> None:
    """If it has none of the conversations, nothing is called missing."""
    write_archive(place / "b.avro", [avro_event(conversation_id="another")])
    with pytest.raises(InputError, match="none of 30 conversations to judge is in"):
        judge(place, SimpleJudge(), archive="b.avro")
    assert rows(place, "judgements") == []


def test_a_folder_that_is_not_a_run_is_refused(tmp_path: Path) -> None:
    """Only the folder of a finished run has candidates."""
    with pytest.raises(InputError, match="is not the folder of a finished run"), opened(tmp_path):
        pass


def labels_file(path: Path, flipped: int) -> Path:
    """Writes labels by conversation id: every second one is affective, or not if it is flipped."""
    lines = [
        {"conversation": f"c{number}", "use": "affective", "types": ["counseling"]}
        if (number % 2 == 1) != (number < flipped)
        else {"conversation": f"c{number}", "use": "work"}
        for number in range(CONVERSATIONS)
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def test_the_command_measures_judges_and_publishes(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`undertone judge` refuses labels that contradict others, and takes those that agree."""
    argv = [
        "judge", str(place / "run"), f"--input={place / 'a.avro'}", "--judge=labels",
        f"--labels={labels_file(place / 'labels', 0)}",
    ]  # fmt: skip
    opposite = labels_file(place / "opposite", CONVERSATIONS)
    assert main([*argv, f"--validate={opposite}"]) == 2
    shown = capsys.readouterr()
    assert "affective: kappa -1.00" in shown.out
    assert "the judge agrees too little" in shown.err
    assert rows(place, "judgements") == []
    similar = labels_file(place / "similar", 1)
    assert main([*argv, f"--validate={similar}"]) == 0
    assert "30 sampled: 30 judged before, 0 judged" in capsys.readouterr().out
    assert len(rows(place, "judgements")) == CONVERSATIONS
