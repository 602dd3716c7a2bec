"""Count: turns the conversations of a bounded run into the totals of their windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial, reduce
from typing import Any, Final, NamedTuple

import apache_beam as beam
from apache_beam.coders import TupleCoder, VarIntCoder
from apache_beam.pvalue import AsSingleton
from apache_beam.pvalue import TaggedOutput as Tagged
from apache_beam.transforms.window import GlobalWindow
from apache_beam.typehints import with_input_types, with_output_types
from apache_beam.utils.windowed_value import WindowedValue

from schemas.counts import CountsRow
from schemas.judged import CandidatesRow
from schemas.records import LedgerEntry
from transforms.balance import at_end_of_bundle
from transforms.classifiers.interface import Classifier
from transforms.conversation.pseudonyms import LoadPseudonyms
from transforms.conversation.summary import summarize
from transforms.counting import ledger
from transforms.counting.builder import WHOLE_RANGE, CountsBuilder
from transforms.counting.cells import NOTHING, OVERALL, name_of
from transforms.counting.contribution import RankedSummary, within_limit
from transforms.counting.days import DayRange
from transforms.counting.places import Place
from transforms.counting.register import Stamp
from transforms.counting.rows import EVERYONE, Provenance, candidates_row, counts_row
from transforms.counting.totals import KeyedChange, PlaceChange, place_key, whole_day
from transforms.counting.windows import DAY, Window, range_of, windows_in
from transforms.create import CreateValues
from transforms.facets.facet import ALL
from transforms.running_totals import SumPlacesFn
from transforms.score import LoadClassifier
from transforms.sessionize import RankedState

_CONVERSATIONS_A_BATCH: Final = 1024
_GLOBAL: Final = GlobalWindow()

_Days = tuple[int, int]
"""Starts of the first and the last day, microseconds since the epoch."""
_NO_DAYS: Final = (2**62, -(2**62))


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
    """The outputs of `CountWindows`: rows of `counts` and `candidates`, and ledger entries."""

    rows: beam.PCollection[CountsRow]
    candidates: beam.PCollection[CandidatesRow]
    ledger: beam.PCollection[LedgerEntry]


class CountWindows(beam.PTransform[RankedSummary, Any]):
    """Sums the summaries of a bounded input into the totals of each window and place.

    In: `RankedSummary`.
    Out: `CountOutputs`. It has one row for each place of each hour, day, ISO week and month, and of
    the whole range, and one row with the candidates for judging for each hour that has any. Its
    ledger entries count the conversations in the totals of the days, and those over the limit.
    Windowing: the global window, in and out. Hours, days and longer windows are part of the key and
    not Beam windows, because the cost of a windowed combine grows faster than the number of windows
    per key.
    Guarantees: a user with several conversations counts once in each cell of each window. At most
    `limit` conversations of a user count on one day. Conversations without a user are not limited.
    A day that was asked for has a row, even if no conversation began on it.

    Args:
      limit: how many conversations of one user count on one day.
      provenance: what every row says about how it was counted.
      load_pseudonyms: loads the operator's secret.
      revision: start of the run, microseconds since the epoch. It becomes the generation, snapshot
        and revision of all rows.
      asked: the days of a backfill. Then only the weeks and months that lie within these days are
        counted. None means every day, week and month of the input.
      most_candidates: how many candidates for judging to keep of each hour.
    """

    def __init__(
        self,
        limit: int,
        provenance: Provenance,
        load_pseudonyms: LoadPseudonyms,
        revision: int,
        asked: DayRange | None = None,
        most_candidates: int = 0,
    ) -> None:
        super().__init__()
        longer = None if asked is None else windows_in(asked.first_us, asked.last_us)
        self._fn = _CountUsersFn(limit, longer, most_candidates)
        self._sum = SumPlacesFn(most_candidates)
        self._to_row = _ToRowFn(provenance, load_pseudonyms, revision)
        days = [whole_day(day_us) for day_us in asked.starts()] if asked else []
        whole = [place_key(window, Place(OVERALL, ALL)) for window in longer or ()]
        self._asked = [(key, PlaceChange()) for key in (*days, *whole)]

    def expand(self, summaries: beam.PCollection[RankedSummary]) -> CountOutputs:
        by_user = (
            summaries
            | "WithUser" >> beam.Filter(_has_user).with_output_types(RankedSummary)
            | "KeyByUser" >> beam.Map(_keyed).with_output_types(tuple[str, RankedSummary])
            | "GroupByUser" >> beam.GroupByKey()
            | "CountUsers" >> beam.ParDo(self._fn)
            .with_output_types(KeyedChange, ledger=LedgerEntry)
            .with_outputs("ledger", main="changes")
        )  # fmt: skip
        # Each of these conversations is counted alone, so none is over the limit.
        without_user = (
            summaries
            | "WithoutUser" >> beam.Filter(_has_no_user).with_output_types(RankedSummary)
            | "Alone" >> beam.Map(_alone).with_output_types(tuple[str, Iterable[RankedSummary]])
            | "CountWithoutUser" >> beam.ParDo(self._fn).with_output_types(KeyedChange)
        )
        asked = summaries.pipeline | "AskedWindows" >> CreateValues(self._asked, KeyedChange)
        totals = (
            (by_user["changes"], without_user, asked)
            | "FlattenTotals" >> beam.Flatten()
            | "SumPlaces" >> beam.CombinePerKey(self._sum)
        )
        bounds = (
            totals
            | "DaysOfRange" >> beam.FlatMap(_days_of_total).with_output_types(tuple[bytes, _Days])
            | "BoundsOfRange" >> beam.CombinePerKey(_BoundsFn())
            | "ToRange" >> beam.MapTuple(_range_of).with_output_types(tuple[str, int, int])
        )
        rows = (
            totals
            | "ToRows" >> beam.ParDo(self._to_row, AsSingleton(bounds, default_value=WHOLE_RANGE))
            .with_output_types(CountsRow, candidates=CandidatesRow)
            .with_outputs("candidates", main="rows")
        )  # fmt: skip
        counted = totals | "CountConversations" >> beam.FlatMap(_tallied).with_output_types(
            LedgerEntry
        )
        entries = (by_user["ledger"], counted) | "FlattenLedger" >> beam.Flatten()
        return CountOutputs(rows["rows"], rows["candidates"], entries)


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


class _CountUsersFn(beam.DoFn):
    """Sums the places within a bundle, because totals are cheaper to shuffle than summaries."""

    def __init__(self, limit: int, longer: Collection[Window] | None, most_candidates: int) -> None:
        self._limit = limit
        self._new_builder = partial(CountsBuilder, longer, most_candidates)
        self._builder = self._new_builder()
        self._outcomes: Counter[tuple[str, str]] = Counter()

    def start_bundle(self) -> None:
        self._builder = self._new_builder()
        self._outcomes = Counter()

    def process(self, keyed: tuple[str, Iterable[RankedSummary]]) -> None:
        counted, over_limit = within_limit(keyed[1], self._limit)
        self._builder.add_user(counted)
        for day_us, conversations in over_limit.items():
            self._outcomes[ledger.OVER_USER_LIMIT, name_of(day_us)] += conversations

    def finish_bundle(self) -> Iterator[Any]:
        for entry in at_end_of_bundle(self._outcomes):
            yield Tagged("ledger", entry)
        for keyed in self._builder.places():
            yield WindowedValue(keyed, _GLOBAL.max_timestamp(), (_GLOBAL,))


class _ToRowFn(beam.DoFn):
    def __init__(
        self, provenance: Provenance, load_pseudonyms: LoadPseudonyms, revision: int
    ) -> None:
        self._provenance = provenance
        self._load_pseudonyms = load_pseudonyms
        self._revision = revision

    def setup(self) -> None:
        self._key_id = self._load_pseudonyms().key_id

    def process(self, keyed: KeyedChange, bounds: tuple[str, int, int]) -> Iterator[Any]:
        key, total = keyed
        if key[:3] == WHOLE_RANGE:
            key = (*bounds, *key[3:])
        stamp = Stamp(self._revision, self._revision)
        version = stamp, self._revision, self._provenance, self._key_id
        yield counts_row(key, total.cells, *version)
        if total.candidates:
            yield Tagged("candidates", candidates_row(key, total.candidates, *version))


@with_input_types(_Days)
@with_output_types(_Days)
class _BoundsFn(beam.CombineFn):
    """Finds the first and the last day."""

    def create_accumulator(self) -> _Days:
        return _NO_DAYS

    def add_input(self, bounds: _Days, days: _Days) -> _Days:
        return min(bounds[0], days[0]), max(bounds[1], days[1])

    def merge_accumulators(self, several: Iterable[_Days]) -> _Days:
        return reduce(self.add_input, several, _NO_DAYS)

    def extract_output(self, bounds: _Days) -> _Days:
        return bounds

    def get_accumulator_coder(self) -> TupleCoder:
        return TupleCoder((VarIntCoder(), VarIntCoder()))


def _days_of_total(keyed: KeyedChange) -> list[tuple[bytes, _Days]]:
    kind, start_us = keyed[0][:2]
    return [(b"", (start_us, start_us))] if kind == DAY else []


def _range_of(_: bytes, days: _Days) -> tuple[str, int, int]:
    return range_of(*days)


def _tallied(keyed: KeyedChange) -> list[LedgerEntry]:
    key, total = keyed
    if key[0] != DAY or key != whole_day(key[1]):
        return []
    conversations = total.cells.get(EVERYONE, NOTHING).conversations
    return [LedgerEntry(ledger.TALLIED, "", conversations)]


def _keyed(ranked: RankedSummary) -> tuple[str, RankedSummary]:
    return ranked[1].user, ranked


def _has_user(ranked: RankedSummary) -> bool:
    return bool(ranked[1].user)


def _has_no_user(ranked: RankedSummary) -> bool:
    return not ranked[1].user


def _alone(ranked: RankedSummary) -> tuple[str, Iterable[RankedSummary]]:
    return "", [ranked]
