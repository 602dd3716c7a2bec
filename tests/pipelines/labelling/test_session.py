"""One reader's session: the queue, what is saved, and how far readers agree."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pipelines.judges.definitions import VERSION
from pipelines.labelling.agreement import PairAgreement, agreements
from pipelines.labelling.reading import Reading
from pipelines.labelling.session import Answer, Session
from pipelines.labelling.store import LabelFile
from schemas.failures import InputError
from tests.pipelines.labelling.readings import ADVICE, CANARY, START_US, reading, transcript

WORK = Answer(use="work")


def session(folder: Path, reader: str = "ana", conversations: int = 3, **shape: Any) -> Session:
    """Returns a reader's session over some conversations, saved in one file."""
    transcripts = [transcript(number, **shape) for number in range(conversations)]
    return Session(transcripts, LabelFile(folder / "labels.jsonl"), reader)


def saved(folder: Path) -> list[Reading]:
    """Returns what the file of labels holds."""
    return LabelFile(folder / "labels.jsonl").read()


def test_the_queue_skips_what_is_labelled(tmp_path: Path) -> None:
    """The next conversation is the first unlabelled one after a place, then before it."""
    own = session(tmp_path)
    assert own.next_place() == 0
    own.save(1, WORK)
    assert (own.next_place(0), own.next_place(2), own.progress) == (2, 0, (1, 3))
    own.save(2, WORK)
    own.save(0, WORK)
    assert own.next_place() is None
    assert own.progress == (3, 3)


def test_a_saved_label_is_complete(tmp_path: Path) -> None:
    """A line holds all labels, the reader and the version of the definitions."""
    answer = Answer(
        **ADVICE, opening_type="interpersonal_advice", pushback_reasons=("sexual",),
        moods=(-1.0, -0.5, -0.5, 0.0, 0.5, 1.0),
    )  # fmt: skip
    assert session(tmp_path, human_messages=6).save(1, answer) is None
    assert saved(tmp_path) == [
        Reading(
            conversation=f"{1:032x}", started_at_us=START_US + 1, human_messages=6,
            **ADVICE, opening_type="interpersonal_advice", pushback_reasons=("sexual",),
            mood_start=-0.6667, mood_end=0.5, moods=answer.moods, reader="ana",
            definitions=VERSION,
        )
    ]  # fmt: skip


def test_the_file_of_labels_holds_no_text(tmp_path: Path) -> None:
    """Only its owner can read the file, and no word of the conversations is in it."""
    session(tmp_path).save(0, WORK)
    path = tmp_path / "labels.jsonl"
    assert CANARY not in path.read_text("utf-8")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(use="chores"), "use must be one of"),
        (Answer(use="affective"), "if and only if"),
        (Answer(use="work", types=("coaching",)), "if and only if"),
        (Answer(use="leisure", types=("roleplay",)), "at least 4 human messages"),
        (Answer(use="work", opening_type="x"), "opening_type"),
        (Answer(use="work", pushback_reasons=("x",)), "pushback_reasons must be"),
        (Answer(use="work", moods=(0.0, 1.0)), "moods must be 6 of -1, -0.5, 0, 0.5, 1"),
        (Answer(use="work", moods=(0.0, 1.0, 0.0, 0.0, 0.0, 0.3)), "moods must be 6 of"),
    ],
)
def test_labels_that_are_not_valid_are_not_saved(tmp_path: Path, answer: Answer, said: str) -> None:
    """The session says why, and the file stays as it was."""
    assert said in (session(tmp_path).save(0, answer) or "")
    assert saved(tmp_path) == []


def test_a_session_goes_on_where_it_ended(tmp_path: Path) -> None:
    """A new session of the same reader has the labels of the last one, the latest first."""
    first = session(tmp_path)
    first.save(0, WORK)
    first.save(0, Answer(use="learning"))
    again = session(tmp_path)
    item = again.item(0)
    assert item is not None
    assert item.own is not None
    assert (item.own.use, again.next_place()) == ("learning", 1)


def test_a_second_reader_sees_no_other_labels(tmp_path: Path) -> None:
    """Another reader starts from the beginning and gets nobody's labels."""
    session(tmp_path).save(0, WORK)
    other = session(tmp_path, "bo")
    assert (other.next_place(), other.progress) == (0, (0, 3))
    item = other.item(0)
    assert item is not None
    assert item.own is None


def test_a_conversation_that_has_grown_comes_again(tmp_path: Path) -> None:
    """Its labels were of a shorter conversation."""
    session(tmp_path).save(0, WORK)
    assert session(tmp_path, human_messages=3).next_place() == 0


def test_there_is_nothing_beyond_the_sample(tmp_path: Path) -> None:
    """A place that does not exist has no conversation, and can't be labelled."""
    own = session(tmp_path)
    assert own.item(-1) is own.item(3) is None
    for place in (-1, 3):
        with pytest.raises(IndexError):
            own.save(place, WORK)
    assert session(tmp_path, conversations=0).next_place() is None


def test_a_line_that_breaks_off_is_dropped(tmp_path: Path) -> None:
    """A crash while saving loses that label alone, and the next one starts a new line."""
    session(tmp_path).save(0, WORK)
    path = tmp_path / "labels.jsonl"
    whole = path.read_bytes()
    for torn in (b"", b"{", whole[:-9], whole[:-1] + b"\n" + whole[:40]):
        path.write_bytes(torn)
        before = saved(tmp_path)
        session(tmp_path).save(1, WORK)
        assert [each.started_at_us - START_US for each in saved(tmp_path)] == [0] * len(before) + [
            1
        ]


def test_a_last_line_without_an_end_counts(tmp_path: Path) -> None:
    """Editors may leave out the last line break."""
    session(tmp_path).save(0, WORK)
    path = tmp_path / "labels.jsonl"
    path.write_bytes(path.read_bytes().rstrip())
    session(tmp_path).save(1, WORK)
    assert len(saved(tmp_path)) == 2


def test_a_full_disk_keeps_earlier_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was saved before stays, and the reader can save again once there is space."""
    own = session(tmp_path)
    own.save(0, WORK)

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", full)
        with pytest.raises(OSError, match="No space"):
            own.save(1, WORK)
    assert (own.next_place(), len(saved(tmp_path))) == (1, 1)
    assert own.save(1, WORK) is None


def test_a_label_is_on_disk_before_the_next_conversation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saving waits for the disk, after the whole line is written."""
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", lambda number: synced.append(os.fstat(number).st_size))
    session(tmp_path).save(0, WORK)
    assert synced == [(tmp_path / "labels.jsonl").stat().st_size]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """A session does not start on a file that it can't read."""
    (tmp_path / "labels.jsonl").write_text('{"use": 1}\n{"use": 2}\n', "utf-8")
    with pytest.raises(InputError, match="line 1 is not a label"):
        session(tmp_path)


def of_pair(pair: PairAgreement) -> dict[str, tuple[int, int, float | None]]:
    """Returns a pair's agreement by question."""
    return {each.question: (each.agreed, each.conversations, each.kappa) for each in pair.questions}


def test_agreement_compares_what_both_have_read() -> None:
    """Each question is compared over the conversations that both readers have labelled."""
    (pair,) = agreements(
        [
            reading(0, reader="ana", **ADVICE),
            reading(1, reader="ana", pushback_reasons=("sexual",)),
            reading(2, reader="ana"),
            reading(0, reader="bo", use="affective", types=("coaching",)),
            reading(1, reader="bo", use="learning", pushback_reasons=("self_harm",)),
        ]
    )
    found = of_pair(pair)
    assert (pair.first, pair.second) == ("ana", "bo")
    assert found["affective"] == found["pushback"] == (2, 2, 1)
    assert found["use"][:2] == (1, 2)
    assert found["use"][2] == pytest.approx(1 / 3)
    assert found["coaching"] == (1, 2, 0)
    assert found["counseling"] == (2, 2, None)


def test_agreement_leaves_out_final_readings() -> None:
    """Whoever settles a disagreement has seen both sides, so the reading is no independent one."""
    rows = [reading(reader="ana"), reading(reader="bo", use="other"), reading(reader="bo",
            final=True)]  # fmt: skip
    (pair,) = agreements(rows)
    assert of_pair(pair)["use"][:2] == (0, 1)


def test_readers_without_a_common_conversation(tmp_path: Path) -> None:
    """Their agreement is empty, and a session counts only its own conversations."""
    session(tmp_path, "ana", 1).save(0, WORK)
    LabelFile(tmp_path / "labels.jsonl").append(reading(9, reader="bo"))
    assert session(tmp_path, "cy", 1).agreement() == []
    assert [pair.questions for pair in agreements(saved(tmp_path))] == [()]
