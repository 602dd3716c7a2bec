"""Conversations with known labels, a classifier that errs, and a judged sample of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from schemas.judged import JUDGED, CandidatesRow, JudgedLabels, JudgementRow, SampleRow
from schemas.labels import AFFECTIVE_TYPES, PUSHBACK_REASONS, TYPES, USES, type_name
from schemas.records import ConversationSummary
from tests.builders import MONDAY_US, summary
from transforms.counting.builder import CountsBuilder
from transforms.counting.candidates import Candidates, candidate_of, candidates_of_text
from transforms.counting.cells import DAY_US, HOUR_US, day_of
from transforms.counting.contribution import Rank, RankedSummary
from transforms.counting.places import Place, WindowCounts
from transforms.counting.profile import profile_of
from transforms.counting.windows import Window
from transforms.judging.choice import choose
from transforms.judging.conversations import JudgedConversation, join
from transforms.judging.identity import sample_id

JUDGE = "labels", "1"


class Labelled(NamedTuple):
    """One conversation as the classifier sees it, and as it is."""

    rank: Rank
    said: ConversationSummary
    truth: ConversationSummary

    @property
    def labels(self) -> JudgedLabels:
        """The true labels as a judge gives them."""
        truth = self.truth
        change = truth.sentiment_change_300ths
        return JudgedLabels(
            use=USES[truth.use],
            types=tuple(name for bit, name in enumerate(TYPES) if truth.types >> bit & 1),
            opening_type=type_name(truth.opening_type),
            closing_type=type_name(truth.closing_type),
            pushback_reasons=tuple(
                name for bit, name in enumerate(PUSHBACK_REASONS)
                if truth.pushback_reasons >> bit & 1
            ),
            mood_start=None if change is None else 0.0,
            mood_end=None if change is None else change / 300,
        )  # fmt: skip


def labelled(
    random: np.random.Generator, conversations: int, share: float = 0.05, day: int = 0,
    found: float = 0.6, alarms: float = 0.02,
) -> list[Labelled]:  # fmt: skip
    """Draws the conversations of one day, each by another user.

    Args:
      random: draws.
      conversations: how many.
      share: the probability of being affective.
      day: number of the day after Monday.
      found: the classifier's recall.
      alarms: its rate of false alarms.
    """
    made = []
    for number in range(conversations):
        is_affective = random.random() < share
        is_said = random.random() < (found if is_affective else alarms)
        kind = str(random.choice(AFFECTIVE_TYPES[:3]))
        use = str(random.choice(USES[1:]))
        shared = {
            "user": f"u{day}-{number}",
            "at_s": (day * DAY_US + int(random.integers(24)) * HOUR_US) / 1e6 + number % 3600,
            "human_messages": int(random.choice([2, 6, 60])),
            "platform": "web" if random.random() < 0.7 else "ios",
        }
        truth = _of(shared, kind if is_affective else "", use, round(random.normal(20, 60)))
        said = _of(shared, kind if is_said else "", use, round(random.normal(10, 60)))
        logit = int(random.normal(4 if is_said else -24 if not is_affective else -8, 6))
        said = msgspec.structs.replace(said, gate_logit=max(-128, min(127, logit)))
        made.append(Labelled(random.bytes(8), said, truth))
    return made


def _of(shared: dict[str, object], kind: str, use: str, change: int) -> ConversationSummary:
    return summary(
        types=[kind] if kind else [], use=use, opening=kind or None, closing=kind or None,
        change=change, **shared,  # type: ignore[arg-type]
    )  # fmt: skip


def sampled(made: Sequence[Labelled], budget: int) -> list[SampleRow]:
    """Chooses the samples of all days."""
    hours: defaultdict[int, Candidates] = defaultdict(Candidates)
    for each in made:
        at_us = each.said.started_at_us
        candidate = candidate_of(each.rank, day_of(at_us), profile_of(each.said))
        hours[at_us - at_us % HOUR_US].add(candidate)
    days: defaultdict[int, list[CandidatesRow]] = defaultdict(list)
    for start_us, candidates in hours.items():
        assert candidates_of_text(candidates.text()) == candidates.present()
        row = CandidatesRow(
            start_us, start_us + HOUR_US, None, candidates.text(), 1, 1, 1, "batch", "k", "2", "c"
        )
        days[day_of(start_us)].append(row)
    return [row for day_us in sorted(days) for row in choose(days[day_us], budget, 1)]


def judgements(made: Sequence[Labelled], sample: Sequence[SampleRow]) -> list[JudgementRow]:
    """Judges a sample with the truth."""
    by_id = {sample_id(each.rank).hex(): each for each in made}
    rows = []
    for row in sample:
        labels = by_id[row.conversation].labels
        rows.append(
            JudgementRow(
                row.day_us, row.conversation, row.started_at_us, *JUDGE, JUDGED,
                row.human_messages, labels.use, ",".join(labels.types), labels.opening_type,
                labels.closing_type, ",".join(labels.pushback_reasons), labels.mood_start,
                labels.mood_end, 0.0, 1,
            )
        )  # fmt: skip
    return rows


def judged(made: Sequence[Labelled], budget: int) -> list[JudgedConversation]:
    """Samples and judges conversations."""
    sample = sampled(made, budget)
    return join(sample, judgements(made, sample))


def counts(made: Sequence[Labelled], window: Window) -> WindowCounts:
    """Counts what the classifier says about the conversations of a window."""
    builder = CountsBuilder()
    for each in made:
        ranked: RankedSummary = (each.rank, each.said)
        builder.add_user([ranked])
    return {
        Place(*key[3:]): change.cells
        for key, change in builder.places()
        if Window(*key[:3]) == window
    }


MONDAY = Window("day", MONDAY_US, MONDAY_US + DAY_US)
