"""Changes: turns new messages into changes of the totals, and subtracts outdated summaries.

This is the core of the unbounded job. The summary of a conversation is revised when the
conversation grows, and when a late event merges two of its spans. Beam has no retractions. So one
stateful step remembers the summaries that it emitted for each conversation. Another step remembers
which of a user's conversations count. Both emit signed changes, whose sum does not depend on their
order. So every table ends up the same as after a batch run, apart from changes that come too late;
the ledger counts these. The logic is in `conversation.history` and `counting.user_day`. The DoFns
in this module are thin wrappers around it.

Both steps accept every valid value and raise nothing. They could not send a bad value to the dead
letters, because Beam refuses to route the exceptions of a stateful step.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput as Tagged
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import (
    ReadModifyWriteStateSpec,
    TimerSpec,
    on_timer,
)
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from schemas.records import LedgerEntry, LongConversation, SignedSummary
from transforms.balance import at_end_of_bundle, count_metrics
from transforms.classifiers.interface import Classifier
from transforms.coders import CanonicalCoder
from transforms.conversation.history import ConversationHistory, long_conversation
from transforms.conversation.spans import outcomes_of
from transforms.counting import ledger
from transforms.counting.candidates import Candidate, candidate_of
from transforms.counting.cells import DAY_US, day_of, name_of
from transforms.counting.contribution import Rank, rank_of, record_key
from transforms.counting.places import Cells
from transforms.counting.profile import profile_of
from transforms.counting.totals import (
    DayTotals,
    KeyedChange,
    PlaceChange,
    PlaceKey,
    whole_day,
    whole_hour,
)
from transforms.counting.user_day import UserDay
from transforms.policies import Clock
from transforms.score import LoadClassifier
from transforms.sessionize import NewSpans

UserDayKey = tuple[str, int]
"""Hash of the user, and start of the day in microseconds since the epoch."""

RankedChange = tuple[Rank, SignedSummary]
"""A signed summary, and the rank of its conversation among the conversations of the same user."""

END_OF_TIME: Final = GlobalWindow().max_timestamp()
"""The time to which a drain moves the watermark, and the timestamp of the panes that a drain fires.

Only a drain moves the watermark ahead of the clock. So if a timer fires before the clock has
reached the timer's due time, the job is being drained. At that moment the last panes may not have
arrived yet. All of them have arrived when a timer that was set for `END_OF_TIME` fires.
"""

_NEW_HISTORY: Final = ConversationHistory()
_NEW_USER_DAY: Final = UserDay()
_HISTORY_BYTES: Final = Metrics.distribution("changes", "state_bytes")
_SENT_TO_COUNTED_MS: Final = Metrics.distribution("changes", "sent_to_counted_ms")
_REMEMBERED: Final = Metrics.distribution("people", "remembered")


class ChangesOutputs(NamedTuple):
    """The outputs of `EmitChanges`: signed summaries, alerts and ledger entries."""

    summaries: beam.PCollection[RankedChange]
    grown_long: beam.PCollection[LongConversation]
    ledger: beam.PCollection[LedgerEntry]


class EmitChanges(beam.PTransform[NewSpans, Any]):
    """Turns the new spans of conversations into signed summaries.

    In: `NewSpans`.
    Out: `ChangesOutputs`: signed summaries with the ranks of their conversations; one
    `LongConversation` for each conversation that grows past 50 human messages; ledger entries of
    conversations and messages.
    Windowing: the global window, in and out.
    Guarantees: the signed summaries of a conversation add up to the summaries of its joined state,
    even if messages are reordered or repeated. A conversation is reported as long only once.
    State: `ConversationHistory`, at most 16 KB per span. A span is dropped some time after its last
    message: `kept_us` plus the session gap or one day, whichever is longer. A drain drops all
    state, and counts the conversations that were still open.
    Metrics: counters `changes/<account>` and `changes/open_at_drain/<day>`; distributions
    `changes/state_bytes` and `changes/sent_to_counted_ms`, the time from when a pane's newest
    message was sent until it was counted.

    Args:
      load_classifier: loads the classifier that judges the conversations.
      gap_us: the session gap.
      kept_us: how long state is kept; see `Settings.kept_us`.
      clock: returns the current time. It is used to detect a drain and to measure
        `changes/sent_to_counted_ms`.
    """

    def __init__(
        self, load_classifier: LoadClassifier, gap_us: int, kept_us: int, clock: Clock
    ) -> None:
        super().__init__()
        self._fn = _EmitChangesFn(load_classifier, gap_us, kept_us, clock)

    def expand(self, panes: beam.PCollection[NewSpans]) -> ChangesOutputs:
        signed = panes | "SignChanges" >> beam.ParDo(self._fn).with_output_types(
            RankedChange, grown_long=LongConversation, ledger=LedgerEntry
        ).with_outputs("grown_long", "ledger", main="summaries")
        return ChangesOutputs(signed["summaries"], signed["grown_long"], signed["ledger"])


class UsersOutputs(NamedTuple):
    """The outputs of `CountUsers`: changes of the totals of places, and ledger entries."""

    changes: beam.PCollection[KeyedChange]
    ledger: beam.PCollection[LedgerEntry]


class CountUsers(beam.PTransform[RankedChange, Any]):
    """Turns signed summaries into changes of totals; counts a user once in each cell.

    In: `RankedChange`.
    Out: `UsersOutputs`: (place, `PlaceChange`), summed within each bundle, and ledger entries for
    the conversations over the limit. A place that was touched has a change, even if it is zero.
    Windowing: the global window, in and out.
    Guarantees: the changes of a place add up to the same totals in any order. At most `limit`
    conversations of a user count on one day. They are the ones that a bounded run counts; the
    ledger counts exceptions as `limit_shortfall`. Conversations without a user are not limited.
    State: `UserDay`, about 50 bytes per conversation, with at most `remembered_ids(limit)`
    conversation ids. This state is dropped one day after the day is closed.
    Metrics: counters `people/<account>/<day>`; distribution `people/remembered`, the number of
    conversations in a user's day.

    Args:
      limit: how many conversations of one user count on one day.
      kept_us: how long a day stays open after its end; see `Settings.kept_us`.
      clock: returns the current time, which is used to detect a drain.
    """

    def __init__(self, limit: int, kept_us: int, clock: Clock) -> None:
        super().__init__()
        self._fn = _CountUsersFn(limit, kept_us, clock)

    def expand(self, summaries: beam.PCollection[RankedChange]) -> UsersOutputs:
        counted = (
            summaries
            | "WithUser" >> beam.Filter(_has_user).with_output_types(RankedChange)
            | "KeyByUserAndDay" >> beam.Map(_key_by_user_and_day)
            .with_output_types(tuple[UserDayKey, RankedChange])
            | "CountUserOnce" >> beam.ParDo(self._fn)
            .with_output_types(KeyedChange, ledger=LedgerEntry)
            .with_outputs("ledger", main="changes")
        )  # fmt: skip
        anonymous = (
            summaries
            | "WithoutUser" >> beam.Filter(_has_no_user).with_output_types(RankedChange)
            | "CountWithoutUser" >> beam.ParDo(_CountAnonymousFn()).with_output_types(KeyedChange)
        )
        changes = (counted["changes"], anonymous) | "FlattenChanges" >> beam.Flatten()
        return UsersOutputs(changes, counted["ledger"])


class _EmitChangesFn(beam.DoFn):
    HISTORY = ReadModifyWriteStateSpec("history", CanonicalCoder(ConversationHistory))
    FORGET = TimerSpec("forget", TimeDomain.WATERMARK)

    def __init__(
        self, load_classifier: LoadClassifier, gap_us: int, kept_us: int, clock: Clock
    ) -> None:
        self._load_classifier = load_classifier
        self._classifier: Classifier | None = None
        self._gap_us = gap_us
        # A span is kept until its day is closed and any later message would begin a new span.
        self._keep_span_us = kept_us + max(gap_us, DAY_US)
        self._clock = clock
        self._outcomes: Counter[tuple[str, str]] = Counter()

    def setup(self) -> None:
        self._classifier = self._load_classifier()

    def start_bundle(self) -> None:
        self._outcomes = Counter()

    def process(
        self,
        pane: NewSpans,
        state: Any = beam.DoFn.StateParam(HISTORY),
        forget: Any = beam.DoFn.TimerParam(FORGET),
    ) -> Iterator[Any]:
        assert self._classifier is not None
        conversation, seen = pane[0], list(pane[1])
        if not seen:  # A runner may fire an empty last pane.
            return
        before = state.read() or _NEW_HISTORY
        history, changes, grown_long = before.join(seen, self._classifier, self._gap_us)
        self._outcomes.update(outcomes_of(history.spans))
        self._outcomes.subtract(outcomes_of(before.spans))
        # Otherwise an id that is always in use, such as a bot's, would gather spans forever.
        keep_from_us = history.last_at_us - self._keep_span_us
        history = history.forget_before(keep_from_us)
        state.write(history)
        forget.set(Timestamp(micros=history.last_at_us + self._keep_span_us))
        for span in grown_long:
            yield Tagged("grown_long", long_conversation(conversation, span))
        rank = rank_of(conversation)
        yield from ((rank, change) for change in changes)
        newest_us = max(partial.last_at_us for partial in seen)
        _SENT_TO_COUNTED_MS.update(max(0, self._clock() - newest_us) // 1000)
        _HISTORY_BYTES.update(len(history.encode()))

    def finish_bundle(self) -> Iterator[Any]:
        count_metrics("changes", self._outcomes)
        for entry in at_end_of_bundle(self._outcomes):
            yield Tagged("ledger", entry)

    @on_timer(FORGET)
    def forget(
        self,
        state: Any = beam.DoFn.StateParam(HISTORY),
        forget: Any = beam.DoFn.TimerParam(FORGET),
        due: Any = beam.DoFn.TimestampParam,
    ) -> Iterator[Any]:
        now_us = self._clock()
        if due.micros > now_us and due < END_OF_TIME:
            forget.set(END_OF_TIME)  # This is a drain, whose last panes may not have arrived yet.
            return
        history = state.read()
        state.clear()
        if due < END_OF_TIME or history is None:
            return
        for span in history.spans:
            if span.last_at_us + self._gap_us > now_us:
                cut = (ledger.OPEN_AT_DRAIN, name_of(day_of(span.first_at_us)))
                count_metrics("changes", {cut: 1})
                yield Tagged("ledger", LedgerEntry(*cut, 1))


class _CountUsersFn(beam.DoFn):
    CELLS = ReadModifyWriteStateSpec("cells", CanonicalCoder(UserDay))
    FORGET = TimerSpec("forget", TimeDomain.WATERMARK)

    def __init__(self, limit: int, kept_us: int, clock: Clock) -> None:
        self._limit = limit
        self._kept_us = kept_us
        self._clock = clock
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._changes = _BundleChanges()

    def start_bundle(self) -> None:
        self._outcomes = Counter()
        self._changes = _BundleChanges()

    def process(
        self,
        keyed: tuple[UserDayKey, RankedChange],
        state: Any = beam.DoFn.StateParam(CELLS),
        forget: Any = beam.DoFn.TimerParam(FORGET),
    ) -> None:
        (_, day_us), (rank, change) = keyed
        before = state.read() or _NEW_USER_DAY
        update = before.apply(rank, change, self._limit)
        state.write(update.user_day)
        _REMEMBERED.update(len(update.user_day.known))
        self._outcomes[ledger.OVER_USER_LIMIT, name_of(day_us)] += update.over_limit
        self._outcomes[ledger.LIMIT_SHORTFALL, name_of(day_us)] += update.shortfall
        # Forget only after the day is closed in `KeepRunningTotals`, which then rejects changes. A
        # retraction that found no state would subtract the conversation but not its user.
        forget.set(Timestamp(micros=day_us + 2 * DAY_US + self._kept_us))
        self._changes.add(day_us, update.added, change)
        for each in update.counted:
            self._changes.add_candidate(
                candidate_of(each.rank, day_us, each.profile), each.after - each.before
            )

    def finish_bundle(self) -> Iterator[Any]:
        count_metrics("people", self._outcomes)
        for entry in at_end_of_bundle(self._outcomes):
            yield Tagged("ledger", entry)
        yield from self._changes.at_end_of_bundle()

    @on_timer(FORGET)
    def forget(
        self,
        state: Any = beam.DoFn.StateParam(CELLS),
        due: Any = beam.DoFn.TimestampParam,
    ) -> None:
        if due.micros <= self._clock():  # Otherwise it is a drain, and changes may still arrive.
            state.clear()


class _CountAnonymousFn(beam.DoFn):
    """Counts conversations without a user, which have no day to look up."""

    def __init__(self) -> None:
        self._changes = _BundleChanges()

    def start_bundle(self) -> None:
        self._changes = _BundleChanges()

    def process(self, ranked: RankedChange) -> None:
        rank, change = ranked
        day_us, profile = day_of(change.summary.started_at_us), profile_of(change.summary)
        added = DayTotals().add_all(dict(profile.cells(record_key(rank))), change.sign)
        self._changes.add(day_us, added, change)
        self._changes.add_candidate(candidate_of(rank, day_us, profile), change.sign)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        yield from self._changes.at_end_of_bundle()


class _BundleChanges:
    """Sums the changes of a bundle by place, so that few of them are shuffled."""

    def __init__(self) -> None:
        self._changes: defaultdict[PlaceKey, PlaceChange] = defaultdict(PlaceChange)

    def add(self, day_us: int, added: DayTotals, change: SignedSummary) -> None:
        """Adds what a signed summary changes."""
        places: Mapping[PlaceKey, Cells] = added.by_place(day_us)
        for key, cells in places.items():
            self._changes[key].add(PlaceChange(cells))
        if change.sign < 0:
            self._changes[whole_day(day_us)].revisions += 1

    def add_candidate(self, candidate: Candidate, times: int) -> None:
        """Adds a candidate to its hour, or takes it back."""
        self._changes[whole_hour(candidate.started_at_us)].candidates.add(candidate, times)

    def at_end_of_bundle(self) -> Iterator[WindowedValue]:
        """Yields the summed changes, for a step in the global window."""
        window = GlobalWindow()
        for keyed in self._changes.items():
            yield WindowedValue(keyed, window.max_timestamp(), (window,))


def _key_by_user_and_day(ranked: RankedChange) -> tuple[UserDayKey, RankedChange]:
    summary = ranked[1].summary
    return (summary.user, day_of(summary.started_at_us)), ranked


def _has_user(ranked: RankedChange) -> bool:
    return bool(ranked[1].summary.user)


def _has_no_user(ranked: RankedChange) -> bool:
    return not ranked[1].summary.user
