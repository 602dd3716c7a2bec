"""Tests which conversations are judged, and what is saved of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from pipelines.judges.interface import Judge, Transcript, Turn
from pipelines.judging.work import (
    JudgeStoppedError,
    Tally,
    current_of,
    judge_sample,
    some_of,
    unjudged,
)
from schemas.failures import InputError
from schemas.judged import JUDGED, JudgedLabels, JudgementRow, SampleRow
from schemas.judged import judgement_labels as labels_of
from tests.pipelines.judges.builders import sample_row
from tests.pipelines.judging.judges import SimpleJudge

SAMPLE = [sample_row(f"c{i}", started_at_us=i) for i in range(4)]
NAMES = [row.conversation for row in SAMPLE]


def transcript_of(row: SampleRow) -> Transcript:
    """Builds a transcript of one human message."""
    return Transcript(row.conversation, row.started_at_us, (Turn(True, "hello"),))


def judged(
    judge: Judge,
    before: Sequence[JudgementRow] = (),
    rows: Sequence[SampleRow] = SAMPLE,
    at_us: int = 1,
) -> tuple[Tally, list[JudgementRow]]:
    """Judges rows; returns the tally and what was saved."""
    saved: list[JudgementRow] = []
    known = current_of(before, judge)
    found = (transcript_of(row) for row in rows)
    return judge_sample(rows, found, judge, known, saved.append, lambda: at_us), saved


def todo(before: Sequence[JudgementRow], judge: Judge, *, retry_missing: bool = False) -> list[str]:
    """Returns the conversations that are given to the judge."""
    known = current_of(before, judge)
    rows = unjudged(SAMPLE, known, retry_missing=retry_missing, may_change=False)
    return [row.conversation for row in rows]


def test_every_status_is_saved_and_counted() -> None:
    """Refusals and conversations that the archive lacks are rows like all others."""
    judge = SimpleJudge(refuses=NAMES[:1])
    saved: list[JudgementRow] = []
    found = map(transcript_of, SAMPLE[:3])
    tally = judge_sample(SAMPLE, found, judge, {}, saved.append, lambda: 9)
    assert [row.status for row in saved] == ["refused", "judged", "judged", "missing"]
    assert [row.human_messages for row in saved] == [1, 1, 1, 0]
    assert str(Tally(sampled=4) + tally) == (
        "4 sampled: 0 judged before, 2 judged, 1 refused, 0 invalid, 1 missing; cost 1.50"
    )
    assert {(row.judge, row.judge_version, row.judged_at_us) for row in saved} == {
        ("simple", "1", 9)
    }


def test_labels_survive_the_table() -> None:
    """A row gives back exactly the labels of its verdict."""
    labels = JudgedLabels(
        use="affective", types=("coaching", "companionship"), closing_type="companionship",
        pushback_reasons=("sexual",), mood_start=-0.5, mood_end=None,
    )  # fmt: skip
    _, saved = judged(SimpleJudge(labels=labels))
    assert [labels_of(row) for row in saved] == [labels] * 4


def test_nothing_is_judged_twice() -> None:
    """A second run has nothing to do, whatever the first one's statuses were."""
    judge = SimpleJudge(refuses=NAMES[:1])
    _, saved = judged(judge)
    assert todo(saved, judge) == []


def test_another_version_or_judge_judges_again() -> None:
    """A judgement is current for the judge and version that made it."""
    _, saved = judged(SimpleJudge())
    assert todo(saved, SimpleJudge(version="2")) == NAMES
    other = SimpleJudge()
    other.name = "other"
    assert todo(saved, other) == NAMES


def test_a_missing_conversation_is_looked_for_again_on_request() -> None:
    """It is found if the archive is restored or named correctly."""
    saved: list[JudgementRow] = []
    judge = SimpleJudge()
    judge_sample(SAMPLE, map(transcript_of, SAMPLE[1:]), judge, {}, saved.append, lambda: 1)
    assert todo(saved, judge) == []
    assert todo(saved, judge, retry_missing=True) == NAMES[:1]
    _, again = judged(judge, saved, SAMPLE[:1], at_us=2)
    assert [row.status for row in again] == [JUDGED]


def test_a_judge_that_says_the_same_again_adds_no_row() -> None:
    """People's labels are read in each run, but only changes are saved."""
    judge = SimpleJudge()
    _, saved = judged(judge)
    tally, again = judged(judge, saved, at_us=2)
    assert (again, tally.known) == ([], 4)
    changed = SimpleJudge(labels=JudgedLabels(use="work"))
    _, again = judged(changed, saved, at_us=2)
    assert [row.use for row in again] == ["work"] * 4
    assert [row.use for row in current_of([*again, *saved], judge).values()] == ["work"] * 4


def test_a_conversation_without_a_verdict_waits() -> None:
    """A conversation that nobody has labelled yet gets no row."""
    judge = SimpleJudge(skips=NAMES[:3])
    tally, saved = judged(judge)
    assert [row.conversation for row in saved] == NAMES[3:]
    assert "3 without an answer" in str(Tally(sampled=4) + tally)
    assert todo(saved, judge) == NAMES[:3]


def test_what_was_judged_before_a_stop_is_saved() -> None:
    """If the money is spent, the rows so far are saved, and none is called missing."""
    saved: list[JudgementRow] = []
    judge = SimpleJudge(most=2)
    with pytest.raises(JudgeStoppedError, match="the money is spent") as caught:
        judge_sample(SAMPLE, map(transcript_of, SAMPLE), judge, {}, saved.append, lambda: 1)
    assert [row.conversation for row in saved] == NAMES[:2]
    assert caught.value.tally.statuses == {JUDGED: 2}
    assert caught.value.tally.cost == 1.0


def test_an_error_while_saving_is_not_the_judges() -> None:
    """An outage of the tables is not taken for a judge that can't go on, so it is retried."""

    def failing(_: JudgementRow) -> None:
        raise InputError("BigQuery can't be reached")

    with pytest.raises(InputError, match="BigQuery") as caught:
        judge_sample(SAMPLE, map(transcript_of, SAMPLE), SimpleJudge(), {}, failing, lambda: 1)
    assert not isinstance(caught.value, JudgeStoppedError)


def test_a_verdict_about_another_conversation_is_a_bug() -> None:
    """A judge that mixes up conversations is not believed."""
    rows, saved = SAMPLE[:1], list[JudgementRow]()
    with pytest.raises(ValueError, match="which it was not given"):
        judge_sample(
            rows, map(transcript_of, SAMPLE[1:2]), SimpleJudge(), {}, saved.append, lambda: 1
        )


def test_an_archive_with_none_of_the_conversations_is_refused() -> None:
    """A wrong path must not mark everything as missing."""

    def none() -> Iterator[Transcript]:
        return iter(())

    with pytest.raises(InputError, match=r"none of 4 conversations to judge is in a\.avro"):
        some_of(none(), "a.avro", 4)
    assert len(list(some_of(map(transcript_of, SAMPLE), "a.avro", 4))) == 4
