"""Changes: what is new is added to the tables, what it replaces is taken back.

The heart of the unbounded job. A conversation's summary is revised as it grows, or when a late
event merges two of its sessions; Beam has no retractions. So one stateful step remembers what was
published of each conversation, and one in which cells each user is; both emit signed changes whose
sum is right whatever the order, so that every table ends as a batch run's. The logic is in
`history`; these are shells around it.

Both steps are total: they are given valid values only and raise nothing, because Beam refuses to
route exceptions of a stateful step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput as Tagged
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import (
    ReadModifyWriteStateSpec,
    TimerSpec,
    on_timer,
)
from apache_beam.utils.timestamp import Timestamp

from schemas.records import ConversationSummary, LedgerEntry, SignedSummary
from transforms import ledger
from transforms.classifiers.interface import Classifier
from transforms.coders import CanonicalCoder
from transforms.conversation import ConversationState
from transforms.history import ConversationHistory, UserDay
from transforms.score import LoadClassifier
from transforms.sessionize import ConversationId
from transforms.tally import DAY_US, Sheet, day_of, sheet_of

UserDayKey = tuple[str, int]
"""Hash of the user, and the start of the day in microseconds."""

_NEW_HISTORY: Final = ConversationHistory()


class PublishChanges(beam.PTransform[tuple[ConversationId, ConversationState], Any]):
    """Turns the panes of conversations into signed summaries.

    In: (conversation, state so far). Out: `summaries` (`SignedSummary`, stamped with the start of
    its conversation) and `ledger` (`LedgerEntry` of the messages newly counted).
    Windowing: global, in and out. Guarantees: for each conversation the signed summaries add up to
    those of its joined state, for any order and repetition of panes.
    State: `ConversationHistory`, at most 16 KB a span, dropped `life_us` after the last message.
    """

    def __init__(self, load_classifier: LoadClassifier, gap_us: int, life_us: int) -> None:
        super().__init__()
        self._fn = _PublishChangesFn(load_classifier, gap_us, life_us)

    def expand(self, panes: beam.PCollection[tuple[ConversationId, ConversationState]]) -> Any:
        return panes | "SignChanges" >> beam.ParDo(self._fn).with_output_types(
            SignedSummary, ledger=LedgerEntry
        ).with_outputs("ledger", main="summaries")


class CountPeople(beam.PTransform[SignedSummary, tuple[int, Sheet]]):
    """Turns signed summaries into what each day's sheet gains, counting every user once a cell.

    In: `SignedSummary`. Out: (day, `Sheet` to add), stamped with the start of the day.
    Windowing: global, in and out. State: `UserDay`, kept until the day's window is
    dropped, `life_us` after the day.
    """

    def __init__(self, life_us: int) -> None:
        super().__init__()
        self._fn = _CountPeopleFn(life_us)

    def expand(
        self, summaries: beam.PCollection[SignedSummary]
    ) -> beam.PCollection[tuple[int, Sheet]]:
        counted = (
            summaries
            | "WithUser" >> beam.Filter(_has_user).with_output_types(SignedSummary)
            | "KeyByUserAndDay" >> beam.Map(_key_by_user_and_day)
            .with_output_types(tuple[UserDayKey, SignedSummary])
            | "CountUserOnce" >> beam.ParDo(self._fn).with_output_types(tuple[int, Sheet])
        )  # fmt: skip
        anonymous = (
            summaries
            | "WithoutUser" >> beam.Filter(_has_no_user).with_output_types(SignedSummary)
            | "CountWithoutUser" >> beam.Map(_gain_without_user)
            .with_output_types(tuple[int, Sheet])
        )  # fmt: skip
        return (counted, anonymous) | "FlattenGains" >> beam.Flatten()


class _PublishChangesFn(beam.DoFn):
    HISTORY = ReadModifyWriteStateSpec("history", CanonicalCoder(ConversationHistory))
    FORGET = TimerSpec("forget", TimeDomain.WATERMARK)

    def __init__(self, load_classifier: LoadClassifier, gap_us: int, life_us: int) -> None:
        self._load_classifier = load_classifier
        self._classifier: Classifier | None = None
        self._gap_us = gap_us
        self._life_us = life_us

    def setup(self) -> None:
        self._classifier = self._load_classifier()

    def process(
        self,
        pane: tuple[ConversationId, ConversationState],
        state: Any = beam.DoFn.StateParam(HISTORY),
        forget: Any = beam.DoFn.TimerParam(FORGET),
    ) -> Iterator[Any]:
        assert self._classifier is not None
        before = state.read() or _NEW_HISTORY
        history, changes = before.join(pane[1], self._classifier, self._gap_us)
        if history is before:
            return
        # An id that is used for ever (a chat group's, a bot's) would gather spans for ever.
        keep_from_us = history.last_at_us - self._life_us - self._gap_us
        state.write(history.forget_before(keep_from_us))
        forget.set(Timestamp(micros=history.last_at_us + self._life_us))
        for change in changes:
            at = Timestamp(micros=change.summary.started_at_us)
            yield beam.window.TimestampedValue(change, at)
        newly_counted = history.held_messages - before.held_messages
        if newly_counted:
            entry = LedgerEntry(ledger.COUNTED, "", newly_counted)
            yield Tagged("ledger", entry)

    @on_timer(FORGET)
    def forget(self, state: Any = beam.DoFn.StateParam(HISTORY)) -> None:
        state.clear()


class _CountPeopleFn(beam.DoFn):
    CELLS = ReadModifyWriteStateSpec("cells", CanonicalCoder(UserDay))
    FORGET = TimerSpec("forget", TimeDomain.WATERMARK)

    def __init__(self, life_us: int) -> None:
        self._life_us = life_us

    def process(
        self,
        keyed: tuple[UserDayKey, SignedSummary],
        state: Any = beam.DoFn.StateParam(CELLS),
        forget: Any = beam.DoFn.TimerParam(FORGET),
    ) -> Iterator[Any]:
        (_, day_us), change = keyed
        user_day, gain = (state.read() or UserDay({})).apply(change)
        state.write(user_day)
        # Not before the day's window in `SumDays` is gone, which drops what comes then: from an
        # empty memory a retraction would leave its user behind.
        forget.set(Timestamp(micros=day_us + 2 * DAY_US + self._life_us))
        yield beam.window.TimestampedValue((day_us, gain), Timestamp(micros=day_us))

    @on_timer(FORGET)
    def forget(self, state: Any = beam.DoFn.StateParam(CELLS)) -> None:
        state.clear()


def key_by_user_and_day(summary: ConversationSummary) -> UserDayKey:
    """Returns the key under which all conversations of a user and day meet."""
    return summary.user, day_of(summary.started_at_us)


def _key_by_user_and_day(change: SignedSummary) -> tuple[UserDayKey, SignedSummary]:
    return key_by_user_and_day(change.summary), change


def _has_user(change: SignedSummary) -> bool:
    return bool(change.summary.user)


def _has_no_user(change: SignedSummary) -> bool:
    return not change.summary.user


def _gain_without_user(change: SignedSummary) -> Any:
    day_us = day_of(change.summary.started_at_us)
    gain = Sheet().add_all(sheet_of([change.summary]), change.sign)
    return beam.window.TimestampedValue((day_us, gain), Timestamp(micros=day_us))
