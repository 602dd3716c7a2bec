"""Aggregate: conversations to the sheet of each day, all cells of a day in one value.

All of a day's cells stay together because the release step must see them together: a cell may be
published only if nothing that was held back can be had by subtracting it from others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import Final

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.typehints import with_input_types, with_output_types
from apache_beam.utils.windowed_value import WindowedValue

from schemas.records import ConversationSummary, LedgerEntry
from transforms import ledger
from transforms.changes import UserDayKey, key_by_user_and_day
from transforms.classifiers.interface import Classifier
from transforms.coders import CanonicalCoder
from transforms.conversation.state import ConversationState
from transforms.conversation.summary import summarize
from transforms.counting.days import DayRange
from transforms.counting.tally import NOTHING, WHOLE_DAY, Sheet, SheetBuilder, SheetChange
from transforms.give import Give
from transforms.policies import Firings
from transforms.score import LoadClassifier

DaySheet = tuple[int, Sheet]
"""Start of the day in microseconds, and its sheet or a part of it."""

DayChange = tuple[int, SheetChange]
"""Start of the day in microseconds, and what is to be added to its sheet."""

UserDaySummaries = tuple[UserDayKey, Iterable[ConversationSummary]]

_CONVERSATIONS_A_BATCH: Final = 1024
_GLOBAL: Final = GlobalWindow()


class SummarizeConversations(beam.PTransform[ConversationState, ConversationSummary]):
    """Judges the final states of a bounded input, many at a time.

    In: `ConversationState`. Out: `ConversationSummary`. Windowing: the global window.
    """

    def __init__(self, load_classifier: LoadClassifier) -> None:
        super().__init__()
        self._load_classifier = load_classifier

    def expand(
        self, states: beam.PCollection[ConversationState]
    ) -> beam.PCollection[ConversationSummary]:
        return states | "JudgeBatches" >> beam.ParDo(
            _SummarizeFn(self._load_classifier)
        ).with_output_types(ConversationSummary)


class TallyDays(beam.PTransform[ConversationSummary, DaySheet]):
    """Sums the summaries of a bounded input into the sheet of each day.

    In: `ConversationSummary`. Out: (day, `Sheet`), one a day. Windowing: the global window, the day
    in the key: windowed combines grow superlinearly with the windows of a key.
    Guarantees: a user counts once in every cell, whatever the number of conversations.

    Args:
      asked: days that have a sheet even if no conversation began on them; None for none.
    """

    def __init__(self, asked: DayRange | None = None) -> None:
        super().__init__()
        self._starts = list(asked.starts()) if asked else []

    def expand(
        self, summaries: beam.PCollection[ConversationSummary]
    ) -> beam.PCollection[DaySheet]:
        by_user_day = (
            summaries
            | "WithUser" >> beam.Filter(_has_user).with_output_types(ConversationSummary)
            | "KeyByUserAndDay" >> beam.Map(_keyed)
            .with_output_types(tuple[UserDayKey, ConversationSummary])
            | "GroupByUserAndDay" >> beam.GroupByKey()
            | "TallyUsers" >> beam.ParDo(_TallyUsersFn()).with_output_types(DaySheet)
        )  # fmt: skip
        without_user = (
            summaries
            | "WithoutUser" >> beam.Filter(_has_no_user).with_output_types(ConversationSummary)
            | "KeyByDay" >> beam.Map(_alone).with_output_types(UserDaySummaries)
            | "TallyWithoutUser" >> beam.ParDo(_TallyUsersFn()).with_output_types(DaySheet)
        )
        empty = summaries.pipeline | "EmptySheets" >> Give(
            [(day_us, Sheet()) for day_us in self._starts], DaySheet
        )
        return (
            (by_user_day, without_user, empty)
            | "FlattenSheets" >> beam.Flatten()
            | "SumDays" >> beam.CombinePerKey(_SumSheetsFn())
        )


class CountTallied(beam.PTransform[DaySheet, LedgerEntry]):
    """Counts the conversations in the finished sheets, for the ledger's second balance.

    In: (day, `Sheet`). Out: `LedgerEntry`, one a day. Windowing: the global window.
    """

    def expand(self, sheets: beam.PCollection[DaySheet]) -> beam.PCollection[LedgerEntry]:
        return sheets | "CountConversations" >> beam.Map(_tallied).with_output_types(LedgerEntry)


class SumGains(beam.PTransform[DayChange, DayChange]):
    """Sums what the sheets of an unbounded job gain, day by day.

    In: (day, `SheetChange`). Out: (day, `SheetChange`), one a day and firing period.
    Windowing: the global window, discarding panes: each gain is in exactly one.
    """

    def __init__(self, firings: Firings) -> None:
        super().__init__()
        self._firings = firings

    def expand(self, gains: beam.PCollection[DayChange]) -> beam.PCollection[DayChange]:
        return (
            gains
            | "FireByPeriod" >> self._firings.each_period()
            | "SumDays" >> beam.CombinePerKey(_SumChangesFn())
        )


class _SummarizeFn(beam.DoFn):
    """Gathers states over a bundle: a batch of one costs many times what its share of many does."""

    def __init__(self, load_classifier: LoadClassifier) -> None:
        self._load_classifier = load_classifier
        self._classifier: Classifier | None = None
        self._states: list[ConversationState] = []

    def setup(self) -> None:
        self._classifier = self._load_classifier()

    def start_bundle(self) -> None:
        self._states = []

    def process(self, state: ConversationState) -> Iterator[ConversationSummary]:
        self._states.append(state)
        if len(self._states) >= _CONVERSATIONS_A_BATCH:
            yield from self._flush()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for summary in self._flush():
            yield WindowedValue(summary, _GLOBAL.max_timestamp(), (_GLOBAL,))

    def _flush(self) -> Sequence[ConversationSummary]:
        assert self._classifier is not None
        states, self._states = self._states, []
        return summarize(states, self._classifier)


class _TallyUsersFn(beam.DoFn):
    """Sums over a bundle before the shuffle: few days, many conversations."""

    def __init__(self) -> None:
        self._builders: defaultdict[int, SheetBuilder] = defaultdict(SheetBuilder)

    def start_bundle(self) -> None:
        self._builders = defaultdict(SheetBuilder)

    def process(self, keyed: UserDaySummaries) -> None:
        (_, day_us), summaries = keyed
        self._builders[day_us].add_user(summaries)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for day_us, builder in self._builders.items():
            yield WindowedValue((day_us, builder.sheet()), _GLOBAL.max_timestamp(), (_GLOBAL,))


@with_input_types(Sheet)
@with_output_types(Sheet)
class _SumSheetsFn(beam.CombineFn):
    def create_accumulator(self) -> Sheet:
        return Sheet()

    def add_input(self, total: Sheet, gain: Sheet) -> Sheet:
        return total.add_all(gain)

    def merge_accumulators(self, totals: Iterable[Sheet]) -> Sheet:
        return reduce(Sheet.add_all, totals, Sheet())

    def extract_output(self, total: Sheet) -> Sheet:
        return Sheet(total)  # The accumulator may be added to again.

    def get_accumulator_coder(self) -> CanonicalCoder:
        return CanonicalCoder(Sheet)


@with_input_types(SheetChange)
@with_output_types(SheetChange)
class _SumChangesFn(beam.CombineFn):
    def create_accumulator(self) -> SheetChange:
        return SheetChange()

    def add_input(self, total: SheetChange, change: SheetChange) -> SheetChange:
        return total.add(change)

    def merge_accumulators(self, totals: Iterable[SheetChange]) -> SheetChange:
        return reduce(SheetChange.add, totals, SheetChange())

    def extract_output(self, total: SheetChange) -> SheetChange:
        # The accumulator may be added to again.
        return SheetChange(Sheet(total.sheet), total.revisions)

    def get_accumulator_coder(self) -> CanonicalCoder:
        return CanonicalCoder(SheetChange)


def _tallied(day_sheet: DaySheet) -> LedgerEntry:
    return LedgerEntry(ledger.TALLIED, "", day_sheet[1].get(WHOLE_DAY, NOTHING).conversations)


def _keyed(summary: ConversationSummary) -> tuple[UserDayKey, ConversationSummary]:
    return key_by_user_and_day(summary), summary


def _has_user(summary: ConversationSummary) -> bool:
    return bool(summary.user)


def _has_no_user(summary: ConversationSummary) -> bool:
    return not summary.user


def _alone(summary: ConversationSummary) -> UserDaySummaries:
    return key_by_user_and_day(summary), [summary]
