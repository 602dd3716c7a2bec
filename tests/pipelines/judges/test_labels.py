"""The judge that takes people's labels from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipelines.judges.definitions import VERSION
from pipelines.judges.interface import Judge, Verdict
from pipelines.judges.labels import LabelsJudge
from pipelines.labelling.reading import Reading
from schemas.failures import InputError
from schemas.judged import INVALID, JUDGED, JudgedLabels
from tests.builders import PSEUDONYMS
from tests.pipelines.labelling.readings import ADVICE, CANARY, START_US, reading, transcript


def judge_of(folder: Path, *readings: Reading) -> LabelsJudge:
    """Returns the judge of a file with these readings."""
    path = folder / "labels.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in readings))
    return LabelsJudge(path, PSEUDONYMS)


def verdicts(judge: Judge, *numbers: int, **shape: Any) -> list[Verdict]:
    """Returns the judge's verdicts on these conversations."""
    return list(judge.judge(transcript(number, **shape) for number in numbers))


def labels_of(judge: Judge, number: int = 0) -> JudgedLabels | None:
    """Returns the labels of the only verdict on a conversation."""
    (verdict,) = verdicts(judge, number)
    return verdict.labels


def test_labels_become_a_verdict(tmp_path: Path) -> None:
    """A labelled conversation is judged, at no cost, with all of its labels."""
    given: dict[str, Any] = ADVICE | {
        "opening_type": "none", "closing_type": "interpersonal_advice",
        "pushback_reasons": ("ai_identity",), "mood_start": -0.5, "mood_end": 0.25,
    }  # fmt: skip
    (verdict,) = verdicts(judge_of(tmp_path, reading(3, **given)), 3)
    assert verdict == Verdict(f"{3:032x}", START_US + 3, 2, JUDGED, JudgedLabels(**given), cost=0.0)


def test_a_conversation_without_labels_gets_no_verdict(tmp_path: Path) -> None:
    """It stays unjudged, so that it is judged once it has labels."""
    judge = judge_of(tmp_path, reading(1))
    assert [verdict.conversation for verdict in verdicts(judge, 0, 1, 2)] == [f"{1:032x}"]


def test_a_conversation_that_has_grown_gets_no_verdict(tmp_path: Path) -> None:
    """Its labels are of a shorter conversation."""
    judge = judge_of(tmp_path, reading(human_messages=2))
    assert len(verdicts(judge, 0, human_messages=2)) == 1
    assert verdicts(judge, 0, human_messages=3) == []


def test_a_resumed_conversation_is_another_one(tmp_path: Path) -> None:
    """Labels with a start go only with the conversation that began then."""
    assert verdicts(judge_of(tmp_path, reading(started_at_us=START_US - 1)), 0) == []


def test_labels_without_a_start_go_by_the_id(tmp_path: Path) -> None:
    """A file made by hand need not give the start."""
    assert labels_of(judge_of(tmp_path, reading(started_at_us=0))) == JudgedLabels(use="work")


def test_roleplay_in_a_short_conversation_is_invalid(tmp_path: Path) -> None:
    """If the file does not give the length, the transcript tells it."""
    judge = judge_of(tmp_path, reading(use="leisure", types=("roleplay",)))
    (short,) = verdicts(judge, 0, human_messages=3)
    (long_enough,) = verdicts(judge, 0, human_messages=4)
    assert (short.status, short.labels) == (INVALID, None)
    assert long_enough.status == JUDGED


@pytest.mark.parametrize(
    ("readings", "use"),
    [
        ((("ana", "work"), ("bo", "work")), "work"),
        ((("ana", "work"), ("bo", "learning")), "work"),
        ((("ana", "work"), ("bo", "learning"), ("ana", "leisure")), "leisure"),
        ((("ana", "work"), ("bo", "learning"), ("cy", "technical", True)), "technical"),
        ((("ana", "work"), ("cy", "technical", True), ("bo", "work")), "technical"),
    ],
    ids=["they agree", "the first", "a reader's last", "the final", "final, then another"],
)
def test_several_readings(tmp_path: Path, readings: Any, use: str) -> None:
    """The first reader's last reading counts, unless a final reading settles the disagreement."""
    rows = [reading(reader=name, use=label, final=bool(final)) for name, label, *final in readings]
    assert labels_of(judge_of(tmp_path, *rows)) == JudgedLabels(use=use)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f'{{"conversation": "{CANARY}"', "line 2 is not a label"),
        (f'{{"conversation": 3, "use": "{CANARY}"}}', "line 2 is not a label"),
        (f'{{"conversation": "a", "use": "{CANARY}"}}', "line 2: use must be one of affective,"),
        ('{"conversation": "a", "use": "work", "types": ["coaching"]}', "line 2: use must be aff"),
        ('{"conversation": "a", "use": "work", "mood_start": 2}', "line 2: mood_start and mood_"),
    ],
)
def test_a_bad_line_is_named_but_not_quoted(tmp_path: Path, line: str, said: str) -> None:
    """The error gives the line's number and never its content."""
    path = tmp_path / "labels.jsonl"
    path.write_text(f'{{"conversation": "b", "use": "work"}}\n{line}\n', "utf-8")
    with pytest.raises(InputError, match=said) as caught:
        LabelsJudge(path, PSEUDONYMS)
    assert CANARY not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error says which file can't be read."""
    with pytest.raises(InputError, match=r"no\.jsonl"):
        LabelsJudge(tmp_path / "no.jsonl", PSEUDONYMS)


@pytest.mark.parametrize(
    ("seen", "version"),
    [((), VERSION), (("2b", "1a", "2b"), "1a+2b"), (("",), "unknown")],
)
def test_the_version_is_that_of_the_definitions(
    tmp_path: Path, seen: tuple[str, ...], version: str
) -> None:
    """The version names all definitions under which the labels were given."""
    rows = [reading(number, definitions=each) for number, each in enumerate(seen)]
    assert judge_of(tmp_path, *rows).version == version
