"""Count: turns conversations into totals, one value with all cells for each day.

The cells of a day stay together because the release step must see them together. A cell may be
published only if nobody can use it to work out a withheld cell by subtraction.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import Any, Final, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput as Tagged
from apache_beam.transforms.window import GlobalWindow
from apache_beam.typehints import with_input_types, with_output_types
from apache_beam.utils.windowed_value import WindowedValue

from schemas.records import LedgerEntry
from transforms.balance import at_end_of_bundle
from transforms.changes import UserDayKey, key_by_user_and_day
from transforms.classifiers.interface import Classifier
from transforms.coders import CanonicalCoder
from transforms.conversation.summary import summarize
from transforms.counting import ledger
from transforms.counting.cells import NOTHING, WHOLE_DAY, name_of
from transforms.counting.contribution import RankedSummary, within_limit
from transforms.counting.days import DayRange
from transforms.counting.totals import (
    DayTotals,
    KeyedChange,
    KeyedTotals,
    TotalsBuilder,
    TotalsChange,
)
from transforms.create import CreateValues
from transforms.policies import Firings
from transforms.score import LoadClassifier
from transforms.sessionize import RankedState

UserDaySummaries = tuple[UserDayKey, Iterable[RankedSummary]]

_CONVERSATIONS_A_BATCH: Final = 1024
_GLOBAL: Final = GlobalWindow()


class SummarizeConversations(beam.PTransform[RankedState, RankedSummary]):
    """Summarizes the final states of a bounded input, many at a time.

    In: `RankedState`.
    Out: `RankedSummary`, one for each state.
    Windowing: the global window, in and out.
    Guarantees: a summary does not depend on the other states of its batch.

    Args:
      load_classifier: loads the classifier that judges the conversations.
    """

    def __init__(self, load_classifier: LoadClassifier) -> None:
        super().__init__()
        self._load_classifier = load_classifier

    def expand(self, states: beam.PCollection[RankedState]) -> beam.PCollection[RankedSummary]:
        return states | "JudgeBatches" >> beam.ParDo(
            _SummarizeFn(self._load_classifier)
        ).with_output_types(RankedSummary)


class CountOutputs(NamedTuple):
    """The outputs of `CountDays`: totals of each day, and ledger entries."""

    totals: beam.PCollection[KeyedTotals]
    ledger: beam.PCollection[LedgerEntry]


class CountDays(beam.PTransform[RankedSummary, Any]):
    """Sums the summaries of a bounded input into the totals of each day.

    In: `RankedSummary`.
    Out: `CountOutputs`: (day, `DayTotals`), once for each day, and ledger entries for the
    conversations over the limit.
    Windowing: the global window, in and out. The day is a key and not a window, because the cost of
    a windowed combine grows faster than the number of windows per key.
    Guarantees: a user with several conversations counts once in each cell. At most `limit`
    conversations of a user count on one day. Conversations without a user are not limited.

    Args:
      limit: how many conversations of one user count on one day.
      asked: days that get totals even if no conversation began on them.
    """

    def __init__(self, limit: int, asked: DayRange | None = None) -> None:
        super().__init__()
        self._fn = _CountUserDaysFn(limit)
        self._starts = list(asked.starts()) if asked else []

    def expand(self, summaries: beam.PCollection[RankedSummary]) -> CountOutputs:
        by_user_day = (
            summaries
            | "WithUser" >> beam.Filter(_has_user).with_output_types(RankedSummary)
            | "KeyByUserAndDay" >> beam.Map(_keyed)
            .with_output_types(tuple[UserDayKey, RankedSummary])
            | "GroupByUserAndDay" >> beam.GroupByKey()
            | "CountUserDays" >> beam.ParDo(self._fn)
            .with_output_types(KeyedTotals, ledger=LedgerEntry)
            .with_outputs("ledger", main="totals")
        )  # fmt: skip
        # Each of these conversations is counted alone, so none is over the limit.
        without_user = (
            summaries
            | "WithoutUser" >> beam.Filter(_has_no_user).with_output_types(RankedSummary)
            | "KeyByDay" >> beam.Map(_alone).with_output_types(UserDaySummaries)
            | "CountWithoutUser" >> beam.ParDo(self._fn).with_output_types(KeyedTotals)
        )
        empty = summaries.pipeline | "EmptyDays" >> CreateValues(
            [(day_us, DayTotals()) for day_us in self._starts], KeyedTotals
        )
        totals = (
            (by_user_day["totals"], without_user, empty)
            | "FlattenTotals" >> beam.Flatten()
            | "SumDays" >> beam.CombinePerKey(_SumTotalsFn())
        )
        return CountOutputs(totals, by_user_day["ledger"])


class CountInTotals(beam.PTransform[KeyedTotals, LedgerEntry]):
    """Counts the conversations in the finished totals.

    The ledger compares this number with the number of conversations built from the messages.

    In: (day, `DayTotals`).
    Out: `LedgerEntry` of the account `tallied`, one for each day.
    Windowing: the global window, in and out.
    """

    def expand(self, totals: beam.PCollection[KeyedTotals]) -> beam.PCollection[LedgerEntry]:
        return totals | "CountConversations" >> beam.Map(_count_conversations).with_output_types(
            LedgerEntry
        )


class SumChanges(beam.PTransform[KeyedChange, KeyedChange]):
    """Sums the changes of an unbounded job, day by day.

    In: (day, `TotalsChange`).
    Out: (day, `TotalsChange`), once per firing period for each day that has changed.
    Windowing: the global window, with discarding panes.
    Guarantees: each change is in exactly one pane.

    Args:
      firings: when panes fire.
    """

    def __init__(self, firings: Firings) -> None:
        super().__init__()
        self._firings = firings

    def expand(self, changes: beam.PCollection[KeyedChange]) -> beam.PCollection[KeyedChange]:
        return (
            changes
            | "FireByPeriod" >> self._firings.each_period()
            | "SumDays" >> beam.CombinePerKey(_SumChangesFn())
        )


class _SummarizeFn(beam.DoFn):
    """Summarizes a bundle's states in batches. One state at a time would cost far more."""

    def __init__(self, load_classifier: LoadClassifier) -> None:
        self._load_classifier = load_classifier
        self._classifier: Classifier | None = None
        self._states: list[RankedState] = []

    def setup(self) -> None:
        self._classifier = self._load_classifier()

    def start_bundle(self) -> None:
        self._states = []

    def process(self, ranked: RankedState) -> Iterator[RankedSummary]:
        self._states.append(ranked)
        if len(self._states) >= _CONVERSATIONS_A_BATCH:
            yield from self._flush()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for summary in self._flush():
            yield WindowedValue(summary, _GLOBAL.max_timestamp(), (_GLOBAL,))

    def _flush(self) -> Sequence[RankedSummary]:
        assert self._classifier is not None
        ranked, self._states = self._states, []
        summaries = summarize([state for _, state in ranked], self._classifier)
        return [(rank, summary) for (rank, _), summary in zip(ranked, summaries, strict=True)]


class _CountUserDaysFn(beam.DoFn):
    """Sums each day within a bundle, so that a few totals are shuffled, not many summaries."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._builders: defaultdict[int, TotalsBuilder] = defaultdict(TotalsBuilder)
        self._outcomes: Counter[tuple[str, str]] = Counter()

    def start_bundle(self) -> None:
        self._builders = defaultdict(TotalsBuilder)
        self._outcomes = Counter()

    def process(self, keyed: UserDaySummaries) -> None:
        (_, day_us), ranked = keyed
        summaries, over_limit = within_limit(ranked, self._limit)
        self._builders[day_us].add_user(summaries)
        if over_limit:
            self._outcomes[ledger.OVER_USER_LIMIT, name_of(day_us)] += over_limit

    def finish_bundle(self) -> Iterator[Any]:
        for entry in at_end_of_bundle(self._outcomes):
            yield Tagged("ledger", entry)
        for day_us, builder in self._builders.items():
            yield WindowedValue((day_us, builder.totals()), _GLOBAL.max_timestamp(), (_GLOBAL,))


@with_input_types(DayTotals)
@with_output_types(DayTotals)
class _SumTotalsFn(beam.CombineFn):
    def create_accumulator(self) -> DayTotals:
        return DayTotals()

    def add_input(self, total: DayTotals, part: DayTotals) -> DayTotals:
        return total.add_all(part)

    def merge_accumulators(self, totals: Iterable[DayTotals]) -> DayTotals:
        return reduce(DayTotals.add_all, totals, DayTotals())

    def extract_output(self, total: DayTotals) -> DayTotals:
        return DayTotals(total)  # A copy, because Beam may add to the accumulator again.

    def get_accumulator_coder(self) -> CanonicalCoder:
        return CanonicalCoder(DayTotals)


@with_input_types(TotalsChange)
@with_output_types(TotalsChange)
class _SumChangesFn(beam.CombineFn):
    def create_accumulator(self) -> TotalsChange:
        return TotalsChange()

    def add_input(self, total: TotalsChange, change: TotalsChange) -> TotalsChange:
        return total.add(change)

    def merge_accumulators(self, totals: Iterable[TotalsChange]) -> TotalsChange:
        return reduce(TotalsChange.add, totals, TotalsChange())

    def extract_output(self, total: TotalsChange) -> TotalsChange:
        # A copy, because Beam may add to the accumulator again.
        return TotalsChange(DayTotals(total.totals), total.revisions)

    def get_accumulator_coder(self) -> CanonicalCoder:
        return CanonicalCoder(TotalsChange)


def _count_conversations(keyed: KeyedTotals) -> LedgerEntry:
    return LedgerEntry(ledger.TALLIED, "", keyed[1].get(WHOLE_DAY, NOTHING).conversations)


def _keyed(ranked: RankedSummary) -> tuple[UserDayKey, RankedSummary]:
    return key_by_user_and_day(ranked[1]), ranked


def _has_user(ranked: RankedSummary) -> bool:
    return bool(ranked[1].user)


def _has_no_user(ranked: RankedSummary) -> bool:
    return not ranked[1].user


def _alone(ranked: RankedSummary) -> UserDaySummaries:
    return key_by_user_and_day(ranked[1]), [ranked]
