"""Judges a sample: gives the judge what is not judged yet, and saves each verdict as it comes.

This module knows neither BigQuery nor folders. It handles transcripts, but never looks at the text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import msgspec

from pipelines.judges.interface import Judge, Transcript, Verdict
from schemas.failures import InputError
from schemas.judged import (
    MISSING,
    STATUSES,
    JudgedLabels,
    JudgementRow,
    SampleRow,
    joined_names,
)
from transforms.policies import Clock

Key = tuple[str, int]
"""A conversation: its hash in the sample, and when it began."""

Save = Callable[[JudgementRow], None]
"""Saves a judgement, so that it survives a crash once the function has returned."""


@dataclass(frozen=True)
class Tally:
    """What became of a sample.

    Attributes:
      sampled: number of conversations in the sample.
      known: how many had been judged before.
      statuses: how many were judged now, by status.
      cost: what that cost.
    """

    sampled: int = 0
    known: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    cost: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        """Returns the sum of two tallies."""
        return Tally(
            self.sampled + other.sampled,
            self.known + other.known,
            self.statuses + other.statuses,
            self.cost + other.cost,
        )

    def __str__(self) -> str:
        now = ", ".join(f"{self.statuses[status]:,} {status}" for status in STATUSES)
        waiting = self.sampled - self.known - self.statuses.total()
        rest = f", {waiting:,} without an answer" if waiting else ""
        cost = f"; cost {self.cost:,.2f}" if self.cost else ""
        return f"{self.sampled:,} sampled: {self.known:,} judged before, {now}{rest}{cost}"


class JudgeStoppedError(InputError):
    """The judge can't go on, e.g. because the money is spent. To try again would not help.

    Attributes:
      tally: what was judged before.
    """

    def __init__(self, sentence: str, tally: Tally) -> None:
        super().__init__(sentence)
        self.tally = tally


def key_of(row: SampleRow | JudgementRow | Transcript | Verdict) -> Key:
    """Returns the conversation that a row is about."""
    return row.conversation, row.started_at_us


def current_of(rows: Iterable[JudgementRow], judge: Judge) -> dict[Key, JudgementRow]:
    """Returns the judge's current judgements, those of this version of it."""
    newest: dict[Key, JudgementRow] = {}
    for row in sorted(rows, key=lambda row: row.judged_at_us):
        if row.judge == judge.name:
            newest[key_of(row)] = row
    return {key: row for key, row in newest.items() if row.judge_version == judge.version}


def unjudged(
    sample: Iterable[SampleRow],
    known: Mapping[Key, JudgementRow],
    *,
    retry_missing: bool,
    may_change: bool,
) -> list[SampleRow]:
    """Returns the conversations to give to the judge.

    Args:
      sample: the sample.
      known: the judge's current judgements.
      retry_missing: whether to look again for conversations that the archive lacked.
      may_change: whether the judge may have changed its mind since; then all are given to it.
    """
    return [
        row
        for row in sample
        if may_change
        or (was := known.get(key_of(row))) is None
        or (retry_missing and was.status == MISSING)
    ]


def some_of(transcripts: Iterator[Transcript], archive: str, wanted: int) -> Iterator[Transcript]:
    """Returns the transcripts, but refuses an archive that has none.

    Otherwise a wrong path would mark all conversations as missing.

    Args:
      transcripts: the conversations that the archive has.
      archive: how to name the archive in an error.
      wanted: how many conversations were looked for.

    Raises:
      InputError: if there is no transcript.
    """
    for first in transcripts:
        return chain((first,), transcripts)
    raise InputError(
        f"none of {wanted:,} conversations to judge is in {archive}; with --input, name the files "
        "that were counted"
    )


def judge_sample(
    rows: Sequence[SampleRow],
    transcripts: Iterable[Transcript],
    judge: Judge,
    known: Mapping[Key, JudgementRow],
    save: Save,
    clock: Clock,
) -> Tally:
    """Has conversations judged, and saves each judgement before the judge goes on.

    A judgement that says the same as the known one is not saved again. A conversation for which
    the judge gives no verdict is left for the next run.

    Args:
      rows: the conversations to judge.
      transcripts: those of them that the archive has.
      judge: the judge.
      known: the judge's current judgements.
      save: called with each new judgement.
      clock: returns the current time.

    Returns:
      The tally of these conversations, without `sampled`.

    Raises:
      JudgeStoppedError: if the judge can't go on, or the archive is damaged. What was saved stays
        valid.
      ValueError: if the judge judges a conversation that it was not given.
    """
    wanted = {key_of(row): row for row in rows}
    found: set[Key] = set()
    statuses: Counter[str] = Counter()
    cost = 0.0
    same = 0

    def noted() -> Iterator[Transcript]:
        for transcript in transcripts:
            found.add(key_of(transcript))
            yield transcript

    def settle(verdict: Verdict) -> None:
        nonlocal cost, same
        key = key_of(verdict)
        if key not in wanted:
            raise ValueError(f"{judge.name} judged {key}, which it was not given or judged before")
        row = judgement_of(wanted.pop(key), verdict, judge, clock())
        cost += verdict.cost
        is_new = key not in known or not _say_the_same(row, known[key])
        if is_new:
            save(row)
        if is_new or verdict.status == MISSING:
            statuses[verdict.status] += 1
        else:
            same += 1

    def tally() -> Tally:
        return Tally(known=same, statuses=statuses, cost=cost)

    verdicts = judge.judge(noted())
    while True:
        try:
            verdict = next(verdicts)
        except StopIteration:
            break
        except InputError as error:
            raise JudgeStoppedError(str(error), tally()) from None
        settle(verdict)
    for key in [key for key in wanted if key not in found]:
        settle(Verdict(*key, 0, MISSING, None))
    return tally()


def check_secret(counted: set[str], key_id: str) -> None:
    """Checks that a sample can be found with this secret.

    Args:
      counted: the secrets with which the candidates were counted.
      key_id: the secret that is used now.

    Raises:
      InputError: if they differ.
    """
    if counted != {key_id}:
        raise InputError(
            f"the conversations were counted with the secret {', '.join(sorted(counted))}, but "
            f"this one is {key_id}; name the former with --secret"
        )


def judgement_of(row: SampleRow, verdict: Verdict, judge: Judge, judged_at_us: int) -> JudgementRow:
    """Returns a verdict as a row."""
    labels = verdict.labels
    return JudgementRow(
        day_us=row.day_us,
        conversation=row.conversation,
        started_at_us=row.started_at_us,
        judge=judge.name,
        judge_version=judge.version,
        status=verdict.status,
        human_messages=verdict.human_messages,
        **(_columns_of(labels) if labels else dict.fromkeys(JudgedLabels.__struct_fields__)),
        cost=verdict.cost,
        judged_at_us=judged_at_us,
    )


def _columns_of(labels: JudgedLabels) -> dict[str, object]:
    return {
        **msgspec.structs.asdict(labels),
        "types": joined_names(labels.types),
        "pushback_reasons": joined_names(labels.pushback_reasons),
    }


def _say_the_same(row: JudgementRow, known: JudgementRow) -> bool:
    again = msgspec.structs.replace(row, judged_at_us=known.judged_at_us, cost=known.cost)
    return again == known
