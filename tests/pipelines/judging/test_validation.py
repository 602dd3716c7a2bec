"""Tests that a judge is measured by people's labels before its judgements are used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from pipelines.judges.interface import Transcript, Turn
from pipelines.judging.folder import JudgedFolder
from pipelines.judging.journal import Journal
from pipelines.judging.validation import LEAST_KAPPA, validate
from pipelines.judging.work import current_of
from schemas.failures import InputError
from schemas.judged import JudgedLabels, SampleRow
from tests.pipelines.judges.builders import sample_row
from tests.pipelines.judging.judges import OTHER, SimpleJudge

AFFECTIVE: Final = JudgedLabels(use="affective", types=("counseling",))
SAMPLE: Final = [sample_row(f"c{i}", started_at_us=i) for i in range(12)]
NAMES: Final = [row.conversation for row in SAMPLE]
LABELLED: Final = NAMES[:8]
"""People have labelled these; the first four are affective."""


class Judge(SimpleJudge):
    """Says that some conversations are affective."""

    def __init__(self, affective: Sequence[str], **options: Any) -> None:
        super().__init__(**options)
        self._affective = affective

    def labels_of(self, conversation: str) -> JudgedLabels:
        return AFFECTIVE if conversation in self._affective else OTHER


class Archive:
    """An archive that has every conversation of the sample, with one message."""

    def of(self, rows: Sequence[SampleRow]) -> Iterator[Transcript]:
        return (
            Transcript(row.conversation, row.started_at_us, (Turn(True, "hello"),)) for row in rows
        )


def readers() -> Judge:
    """Returns the judge that knows the people's labels."""
    return Judge(NAMES[:4], skips=NAMES[8:])


@contextmanager
def opened(folder: Path) -> Iterator[JudgedFolder]:
    """Opens the judgements in a folder that has nothing else."""
    (folder / "restricted").mkdir(exist_ok=True)
    with Journal(folder / "journal.jsonl", folder / "judgements.parquet") as journal:
        yield JudgedFolder(folder, journal)


def measured(judged: JudgedFolder, judge: Judge) -> Any:
    """Measures a judge."""
    return validate(judged, SAMPLE, Archive(), judge, readers(), lambda: 1)  # type: ignore[arg-type]


def test_a_judge_is_asked_only_about_labelled_conversations(tmp_path: Path) -> None:
    """It costs no more than the labels that it is compared with, even if it is measured twice."""
    good = Judge(NAMES[:4])
    with opened(tmp_path) as judged:
        agreement = measured(judged, good)
        assert measured(judged, good) == agreement
    assert sorted(good.asked) == sorted(LABELLED)
    assert agreement.compared == len(LABELLED)
    agreement.refuse_below(LEAST_KAPPA)


def test_a_poor_judge_is_refused_and_its_judgements_are_not_used(tmp_path: Path) -> None:
    """The judgements of a judge that was refused never reach the tables."""
    with opened(tmp_path) as judged:
        agreement = measured(judged, Judge([NAMES[0], NAMES[5], NAMES[6]]))
        with pytest.raises(InputError, match="the judge agrees too little"):
            agreement.refuse_below(LEAST_KAPPA)
        assert judged.judgements() == []


def test_an_accepted_judge_is_not_asked_again(tmp_path: Path) -> None:
    """What a judge said while it was measured counts as judged."""
    good = Judge(NAMES[:4])
    with opened(tmp_path) as judged:
        measured(judged, good)
        judged.accept()
        judged.accept()
        said = current_of(judged.judgements(), good)
        assert sorted(name for name, _ in said) == sorted(LABELLED)
        tally = judged.judge(SAMPLE, Archive(), good, lambda: 2)  # type: ignore[arg-type]
    assert (tally.known, len(good.asked)) == (len(LABELLED), len(NAMES))


def test_labels_of_other_conversations_are_refused(tmp_path: Path) -> None:
    """Without a label in the sample nothing can be compared."""
    nobody = Judge([], skips=NAMES)
    with opened(tmp_path) as judged, pytest.raises(InputError, match="has a label to compare"):
        validate(judged, SAMPLE, Archive(), Judge([]), nobody, lambda: 1)  # type: ignore[arg-type]
