"""Plans how many conversations to have judged: what a number of judgements buys, and its cost.

The plan is about the share of affective conversations. What it needs to know is taken from a run,
as far as the run tells, and from flags: the number and the share of conversations, how often the
classifier errs, and how well its gate tells conversations apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from pipelines.judges.llm.excerpt import Cut
from pipelines.judges.llm.prompt import instructions
from pipelines.publishing.folder import parquet_file
from pipelines.report.figures import Figures
from pipelines.report.reader import read_figures
from pipelines.sinks.database import RESTRICTED_FOLDER, TABLES_FOLDER
from pipelines.sinks.records import read_records
from pipelines.terminal.text import aligned
from schemas.failures import InputError
from schemas.judged import CANDIDATES, JUDGEMENTS, SAMPLE, CandidatesRow, JudgementRow, SampleRow
from schemas.published import FALSE_ALARMS, RECALL
from transforms.counting.candidates import candidates_of_text
from transforms.estimation.difference.moments import Sample
from transforms.estimation.judged_figures import JudgedTable
from transforms.estimation.planning import Traffic, expected_half_width, half_width_like
from transforms.estimation.rates import Rates
from transforms.estimation.shares import AFFECTIVE_USE
from transforms.facets.registry import INDEX
from transforms.judging.allocation import weight
from transforms.judging.conversations import MIN_JUDGED, JudgedConversation, join
from transforms.publishing.policy import Policy
from transforms.watching.card import card_of

USUAL_AUC: Final = 0.95
"""The gate's AUC on conversations of other people, rounded down; see docs/labels.md."""

STEPS: Final = (50, 100, 200, 500, 1_000, 2_000, 5_000)
"""Numbers of judgements a day that the plan shows."""

_DAYS: Final = 7
_LEAST: Final = 1e-4
_CHARACTERS_A_TOKEN: Final = 4
_ANSWER_TOKENS: Final = 150
"""An answer is one JSON object of about eight short fields."""
_MILLION: Final = 1_000_000
_USUAL_MESSAGES: Final = 10.0


@dataclass(frozen=True)
class Prices:
    """What a judgement costs; 0 if a price is not known. In any currency.

    Attributes:
      judgement: the price of one judgement. The others count only if it is 0.
      read, written: the prices of a million tokens that a language model reads and writes.
      tokens_a_message: how many tokens a message has on average.
    """

    judgement: float = 0.0
    read: float = 0.0
    written: float = 0.0
    tokens_a_message: float = 150.0

    def of(self, messages: float) -> float:
        """Returns the price of judging a conversation with this number of messages."""
        if self.judgement:
            return self.judgement
        question = len(instructions()) / _CHARACTERS_A_TOKEN + messages * self.tokens_a_message
        return (question * self.read + _ANSWER_TOKENS * self.written) / _MILLION


@dataclass(frozen=True)
class Expected:
    """What a plan rests on; None if it is not known.

    Attributes:
      conversations: their number on one day.
      share: the share of affective conversations, in (0, 1).
      recall, false_alarms: the classifier's rates, in (0, 1).
      auc: how well the gate tells affective conversations from others, in (0.5, 1).
      variance: the variance of the noise on published counts.
      messages: mean number of messages of a conversation that a language model reads.
      cost: mean cost of the judgements so far; 0 if they were free or there are none.
      days: number of days of the run.
      judged: its judged conversations. If there are enough, they tell more than share, rates and
        AUC.
    """

    conversations: int | None = None
    share: float | None = None
    recall: float | None = None
    false_alarms: float | None = None
    auc: float | None = None
    variance: float = Policy().variance
    messages: float = _USUAL_MESSAGES
    cost: float = 0.0
    days: int | None = None
    judged: tuple[JudgedConversation, ...] = ()

    @property
    def is_sampled(self) -> bool:
        """Whether the plan can rest on a judged sample."""
        affective = sum(each.truth.traits.use == 0 for each in self.judged)
        return min(affective, len(self.judged) - affective) >= MIN_JUDGED

    def traffic(self, days: int = 1) -> Traffic:
        """Returns the conversations of some days.

        Raises:
          InputError: if something is not known, or is out of range.
        """
        return Traffic(
            round(_known("conversations", self.conversations) * days),
            _known("share", self.share),
            _known("recall", self.recall),
            _known("false_alarms", self.false_alarms),
            USUAL_AUC if self.auc is None else self.auc,
            self.variance,
        )


def expected_of(folder: Path) -> Expected:
    """Reads what a run tells: published figures, its sample and its judgements.

    Raises:
      InputError: if the folder has no run, or it published nothing.
    """
    figures = read_figures(folder)
    if figures.period is None or figures.receipt is None:
        raise InputError(f"{folder} has published nothing, so it tells nothing about a plan")
    tables = folder / RESTRICTED_FOLDER / TABLES_FOLDER
    sample = read_records(parquet_file(tables, SAMPLE), SAMPLE, SampleRow)
    judgements = read_records(parquet_file(tables, JUDGEMENTS), JUDGEMENTS, JudgementRow)
    rates = _rates(figures)
    return Expected(
        max(1, round(figures.period.conversations / figures.period.days)),
        _inside(figures.affective.best),
        _inside(rates.get(RECALL)),
        _inside(rates.get(FALSE_ALARMS)),
        None,
        figures.receipt.policy.variance,
        _messages(tables, sample) or _USUAL_MESSAGES,
        float(np.mean([row.cost for row in judgements])) if judgements else 0.0,
        figures.period.days,
        tuple(join(sample, judgements)),
    )


def plan_lines(expected: Expected, budget: int, prices: Prices) -> list[str]:
    """Says what numbers of judgements buy, and what they cost.

    Args:
      expected: what the plan rests on.
      budget: a number of judgements that is always among those shown.
      prices: what a judgement costs. Without a price, it is the mean cost so far.

    Raises:
      InputError: if something that the plan needs is not known or out of range, or the budget is
        not positive.
    """
    day = expected.traffic()
    if budget < 1:
        raise InputError(f"judgements must be at least 1, got {budget}; use e.g. 500")
    price = prices.of(expected.messages) or expected.cost
    numbers = sorted({*STEPS, budget} - {n for n in STEPS if n >= day.conversations})
    try:
        rows = [
            (f"{number:,}", _points(expected, number, 1), _points(expected, number * _DAYS, _DAYS),
             *([f"{number * price:,.2f}", f"{number * _DAYS * price:,.2f}"] if price else []))
            for number in numbers
        ]  # fmt: skip
    except ValueError as error:
        raise InputError(f"this can't be planned: {error}") from None
    header = (
        "judgements a day",
        "a day",
        "a week",
        *(["cost a day", "cost a week"] if price else []),
    )
    return [
        f"planned for {day.conversations:,} conversations a day, of which {day.share:.2%} are "
        "affective;",
        f"the classifier finds {day.recall:.1%} of them, and {day.false_alarms:.2%} of all others",
        _source(expected),
        "",
        *aligned([header, *rows]),
        "",
        *_notes(expected, budget),
    ]


def half_width(expected: Expected, judgements: int, days: int) -> float:
    """Returns half the width of the interval of the affective share of some days.

    Args:
      expected: what the plan rests on.
      judgements: how many conversations of all these days are judged.
      days: how many days.

    Raises:
      InputError: if something is not known.
      ValueError: if something is out of range.
    """
    traffic = expected.traffic(days)
    judgements = min(judgements, traffic.conversations)
    if not expected.is_sampled:
        return expected_half_width(traffic, judgements)
    table = JudgedTable(expected.judged)
    truth, said = (x[:, [INDEX[AFFECTIVE_USE]]] for x in (table.truth, table.said))
    one = np.ones_like(truth)
    sample = Sample(table.probability, truth, said, one, one)
    times = traffic.conversations / float((1 / table.probability).sum())
    weights = np.array([_weight(each) for each in expected.judged], np.float64)
    return half_width_like(sample, weights, judgements, times=times, variance=traffic.variance)


def _weight(judged: JudgedConversation) -> int:
    traits = judged.said.traits
    return weight(judged.said.gate_logit, traits.types, bool(traits.pushback_reasons))


def _points(expected: Expected, judgements: int, days: int) -> str:
    half = half_width(expected, judgements, days) * 100
    return f"{expected.traffic().share * 100:.1f}% ± {half:.{1 if half >= 1 else 2}f}"


def _source(expected: Expected) -> str:
    if expected.is_sampled:
        return f"(from {len(expected.judged):,} judged conversations)"
    auc = expected.traffic().auc
    return f"(AUC {auc:.3f}{'' if expected.auc else ', assumed'})"


def _notes(expected: Expected, budget: int) -> Iterator[str]:
    yield "± is half of the expected 95% interval, in points."
    if expected.days is not None and expected.days > 1:
        whole = _points(expected, budget, expected.days)
        yield f"{budget:,} judgements of this run in all: {whole}."


def _known(flag: str, value: float | None) -> float:
    if value is None:
        raise InputError(f"a plan needs --{flag}, because no run says it")
    return value


def _rates(figures: Figures) -> dict[str, float]:
    """Returns recall and false alarms: those of the judged sample, or else the measured ones."""
    version = figures.receipt.classifier_version if figures.receipt else ""
    card = card_of(Rates(version, tuple(figures.rates)))
    known = {measure: each.rate for (slice_, measure), each in card.items()
             if slice_ == AFFECTIVE_USE}  # fmt: skip
    return known | {
        each.measure: each.rate for each in figures.watched if each.slice == AFFECTIVE_USE
    }


def _inside(share: float | None) -> float | None:
    """Moves a share away from 0 and 1, where nothing can be planned."""
    return None if share is None else min(max(share, _LEAST), 1 - _LEAST)


def _messages(tables: Path, sample: Sequence[SampleRow]) -> float | None:
    """Returns the mean number of messages that are sent of a sampled conversation."""
    sizes = [row.human_messages + row.assistant_messages for row in sample]
    if not sizes:
        rows = read_records(parquet_file(tables, CANDIDATES), CANDIDATES, CandidatesRow)
        found = (each.profile.traits for row in rows for each in candidates_of_text(row.candidates))
        sizes = [traits.human_messages + traits.assistant_messages for traits in found]
    most = Cut().first + Cut().last
    return float(np.minimum(sizes, most).mean()) if sizes else None
