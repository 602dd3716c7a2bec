"""Measures a judge before its judgements are used, by labels that people gave.

What it says meanwhile stays beside the tables until the judge is accepted. So the judgements of a
poor judge never reach a figure, and those of a good one are not paid for twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from pipelines.judges.agreement import Agreement, agreement
from pipelines.judges.interface import Judge, Transcript, Verdict
from pipelines.judging.folder import JudgedFolder, Transcripts
from pipelines.judging.work import Key, current_of, judge_sample, key_of, unjudged
from schemas.failures import InputError
from schemas.judged import JudgedLabels, JudgementRow, SampleRow, judgement_labels
from transforms.policies import Clock

LEAST_KAPPA: Final = 0.6
"""A judge must agree this well about what is affective. Landis and Koch (1977, "The measurement of
observer agreement for categorical data") call agreement substantial from here on."""


def validate(
    judged: JudgedFolder,
    sample: Sequence[SampleRow],
    transcripts: Transcripts,
    judge: Judge,
    labels: Judge,
    clock: Clock,
) -> Agreement:
    """Has those of a sample judged that people have labelled, and compares.

    Args:
      judged: the run's folder.
      sample: the run's sample.
      transcripts: reads conversations from the archive.
      judge: the judge to measure.
      labels: knows the people's labels.
      clock: returns the current time.

    Raises:
      InputError: if no conversation of the sample has a label, the judge can't go on, or the
        archive is damaged.
    """
    truth, labelled = _labelled(transcripts.of(sample), labels)
    if not truth:
        raise InputError(
            f"none of {len(sample):,} sampled conversations has a label to compare with; label "
            "some of them first: undertone label"
        )
    rows = [row for row in sample if key_of(row) in truth]
    with judged.validation() as journal:
        said = current_of([*journal.fold(), *judged.judgements()], judge)
        todo = {key_of(row) for row in unjudged(rows, said, retry_missing=True, may_change=False)}
        judge_sample(
            [row for row in rows if key_of(row) in todo],
            (labelled[key] for key in truth if key in todo),
            judge,
            said,
            journal.save,
            clock,
        )
        said = current_of([*journal.fold(), *judged.judgements()], judge)
    return agreement([_verdict(row) for key, row in said.items() if key in truth], truth)


def _labelled(
    transcripts: Iterable[Transcript], labels: Judge
) -> tuple[dict[Key, JudgedLabels], dict[Key, Transcript]]:
    """Returns the conversations with valid labels: their labels and their text."""
    truth: dict[Key, JudgedLabels] = {}
    labelled: dict[Key, Transcript] = {}
    for transcript in transcripts:
        for verdict in labels.judge([transcript]):
            if verdict.labels is not None:
                truth[key_of(transcript)] = verdict.labels
                labelled[key_of(transcript)] = transcript
    return truth, labelled


def _verdict(row: JudgementRow) -> Verdict:
    return Verdict(*key_of(row), row.human_messages, row.status, judgement_labels(row), row.cost)
