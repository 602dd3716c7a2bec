"""Which cells a conversation is counted in, and the sums that are kept of a cell. No Beam here.

A *slice* is a set of conversations with something in common (all of them; those of a type; those
that drift from one type to another …). A *cell* is a slice of the conversations that started in one
hour or day and have one value of one breakdown. A `Sheet` holds the tallies of all cells of a day.

Everything here is a plain sum of integers, so a contribution can be taken back by adding its
negative, and any order gives the same sheet. Distinct users are sums too: `user_day.UserDay` knows
the conversations of a user that count on a day. It adds 1 to a cell when the first of them enters
it, -1 when the last one leaves. No sketch, no error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from schemas.breakdowns import ATTRIBUTES
from schemas.labels import NO_TYPE, PUSHBACK_REASONS, PUSHBACK_TYPES, TYPES, USES
from schemas.records import ConversationSummary
from transforms.conversation.summary import LONG_OVER, MIN_MESSAGES_FOR_CHANGE

DAY: Final = -1
"""Stands for the whole day where an hour of the day, 0..23, might stand."""
DAY_US: Final = 86_400_000_000
HOUR_US: Final = 3_600_000_000

LENGTH_BINS: Final = (
    (0, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 20), (21, 50), (51, 100), (101, 200), (201, None),
)  # fmt: skip
"""Human messages from and to, both included; a bin never straddles a definition of METRICS.

A conversation in which no human has spoken is rare, and so would be a small cell of its own that
takes larger ones down with it: it shares the first bin.
"""


def _bin_name(low: int, high: int | None) -> str:
    return f"{low}+" if high is None else str(low) if low == high else f"{low}-{high}"


LENGTHS: Final = tuple(_bin_name(low, high) for low, high in LENGTH_BINS)

BREAKDOWNS: Final = ("overall", *ATTRIBUTES, "length")
"""`overall` has the single value `all`; `length` has the values of `LENGTHS`."""
OVERALL: Final = 0
LENGTH: Final = len(BREAKDOWNS) - 1
ALL: Final = "all"


class Slice(NamedTuple):
    """Names a slice: how its row is labelled in the table."""

    facet: str
    value: str


_TYPE_OR_NONE: Final = (*TYPES, NO_TYPE)
_PAIRS: Final = tuple((o, c) for o in _TYPE_OR_NONE for c in _TYPE_OR_NONE)

SLICES: Final[tuple[Slice, ...]] = (
    Slice("all", ALL),
    *(Slice("type", t) for t in TYPES),
    *(Slice("use", u) for u in USES),
    *(Slice("length", n) for n in LENGTHS),
    *(Slice("long", t) for t in (ALL, "affective", *TYPES)),
    *(Slice("sentiment", t) for t in (ALL, "affective", *TYPES)),
    *(Slice("pushback", t) for t in (ALL, *PUSHBACK_TYPES)),
    *(Slice("pushback_reason", r) for r in PUSHBACK_REASONS),
    *(Slice("drift", f"{o}>{c}") for o, c in _PAIRS),
    *(Slice("drift_long", f"{o}>{c}") for o, c in _PAIRS),
)
"""All slices; a slice is written as its index, so append only."""

INDEX: Final[Mapping[Slice, int]] = {slice_: index for index, slice_ in enumerate(SLICES)}
_AFFECTIVE_USE: Final = USES.index("affective")
_SAID_BY_LENGTH: Final = {
    OVERALL: frozenset(i for s, i in INDEX.items() if s.facet == "length"),
    LENGTH: frozenset(i for s, i in INDEX.items() if s.facet in ("length", "long", "drift_long")),
}
"""Slices left out of a breakdown, whose number the cells of `length` say already."""


class Cell(NamedTuple):
    """Names a cell of a day's sheet.

    Attributes:
      hour: hour of the day the conversations started in, or `DAY`.
      breakdown: index into `BREAKDOWNS`.
      value: value of the breakdown.
      slice_index: index into `SLICES`.
    """

    hour: int
    breakdown: int
    value: str
    slice_index: int


WHOLE_DAY: Final = Cell(DAY, OVERALL, ALL, INDEX[Slice("all", ALL)])
"""All conversations of the day."""


class Tally(NamedTuple):
    """Sums over the conversations of a cell.

    Attributes:
      conversations: how many.
      users: how many distinct users they are of; those of no user count for none.
      change: sum of the sentiment changes, in sixths of a point; sentiment slices only.
      change_squares: sum of their squares, in thirty-sixths.
    """

    conversations: int
    users: int
    change: int
    change_squares: int


NOTHING: Final = Tally(0, 0, 0, 0)
ONE_USER: Final = Tally(0, 1, 0, 0)


class Sheet(dict[Cell, Tally]):
    """Tallies of the cells of one day; a cell not in it is nothing."""

    def add(self, cell: Cell, tally: Tally, sign: int = 1) -> None:
        """Adds a tally to a cell; a cell that comes to nothing leaves the sheet."""
        n, users, change, squares = self.get(cell, NOTHING)
        total = Tally(
            n + sign * tally[0],
            users + sign * tally[1],
            change + sign * tally[2],
            squares + sign * tally[3],
        )
        if total == NOTHING:
            self.pop(cell, None)
        else:
            self[cell] = total

    def add_all(self, other: Mapping[Cell, Tally], sign: int = 1) -> Sheet:
        """Adds another sheet, and returns this one."""
        for cell, tally in other.items():
            self.add(cell, tally, sign)
        return self

    def encode(self) -> bytes:
        """Returns the canonical bytes: equal sheets give equal bytes."""
        return _encode([(*cell, *tally) for cell, tally in sorted(self.items())])

    @classmethod
    def decode(cls, encoded: bytes) -> Sheet:
        """Reads what `encode` wrote."""
        return cls((Cell(*row[:4]), Tally(*row[4:])) for row in _decode(encoded))


@dataclass(slots=True)
class SheetChange:
    """What is to be added to a day's sheet.

    Attributes:
      sheet: to add.
      revisions: how many published summaries of conversations it takes back.
    """

    sheet: Sheet = field(default_factory=Sheet)
    revisions: int = 0

    def add(self, other: SheetChange) -> SheetChange:
        """Adds another change of the same day, and returns this one."""
        self.sheet.add_all(other.sheet)
        self.revisions += other.revisions
        return self

    def encode(self) -> bytes:
        """Returns the canonical bytes."""
        return self.revisions.to_bytes(4, "big") + self.sheet.encode()

    @classmethod
    def decode(cls, encoded: bytes) -> SheetChange:
        """Reads what `encode` wrote."""
        return cls(Sheet.decode(encoded[4:]), int.from_bytes(encoded[:4], "big"))


def day_of(instant_us: int) -> int:
    """Returns the start of the UTC day, in microseconds."""
    return instant_us - instant_us % DAY_US


def name_of(day_us: int) -> str:
    """Returns the day as YYYY-MM-DD."""
    return f"{datetime.fromtimestamp(day_us / 1e6, UTC):%Y-%m-%d}"


def length_of(human_messages: int) -> str:
    """Returns the name of the length bin."""
    for name, (_, high) in zip(LENGTHS, LENGTH_BINS, strict=True):
        if high is None or human_messages <= high:
            return name
    raise AssertionError("the last bin is open")


class Placed(NamedTuple):
    """The slices of a conversation, as indexes into `SLICES`.

    Attributes:
      by_breakdown: for each of `BREAKDOWNS` the slices that count there.
      with_change: those of them that sum the sentiment change.
    """

    by_breakdown: tuple[tuple[int, ...], ...]
    with_change: tuple[int, ...]


@lru_cache(maxsize=65_536)
def _placed(
    length: str,
    is_long: bool,
    has_change: bool,
    types: int,
    use: int,
    opening_type: int,
    closing_type: int,
    reasons: int,
) -> Placed:
    """Returns the slices that conversations of this description are in."""
    drift = f"{_TYPE_OR_NONE[opening_type]}>{_TYPE_OR_NONE[closing_type]}"
    names = [TYPES[i] for i in range(len(TYPES)) if types >> i & 1]
    slices = [Slice("all", ALL), Slice("use", USES[use]), Slice("length", length)]
    slices += [Slice("type", name) for name in names]
    groups = [ALL, *(["affective"] if use == _AFFECTIVE_USE else []), *names]
    slices += [Slice("long", group) for group in groups if is_long]
    slices += [Slice("sentiment", group) for group in groups if has_change]
    if reasons:
        slices += [Slice("pushback", g) for g in (ALL, *names) if g in (ALL, *PUSHBACK_TYPES)]
        slices += [
            Slice("pushback_reason", r) for i, r in enumerate(PUSHBACK_REASONS) if reasons >> i & 1
        ]
    slices.append(Slice("drift", drift))
    slices += [Slice("drift_long", drift)] if is_long else []
    indexes = tuple(INDEX[s] for s in slices)
    return Placed(
        tuple(
            tuple(i for i in indexes if i not in _SAID_BY_LENGTH.get(breakdown, ()))
            for breakdown in range(len(BREAKDOWNS))
        ),
        tuple(i for i in indexes if SLICES[i].facet == "sentiment"),
    )


def slices_of(summary: ConversationSummary) -> Placed:
    """Returns all slices that the conversation is in.

    One number, one row: the length bins are no slices of `overall` and `length`, nor the long ones
    of `length`, because the cells of `length` already say the same.
    """
    human = summary.human_messages
    return _placed(
        length_of(human),
        human > LONG_OVER,
        summary.sentiment_change_sixths is not None,
        summary.types,
        summary.use,
        summary.opening_type,
        summary.closing_type,
        summary.pushback_reasons,
    )


def _values_of(summary: ConversationSummary) -> tuple[str, ...]:
    """Returns the conversation's value of each breakdown."""
    return (ALL, *summary.breakdowns, length_of(summary.human_messages))


def _hour_of(summary: ConversationSummary) -> int:
    return summary.started_at_us % DAY_US // HOUR_US


def cells_of(summary: ConversationSummary) -> Iterator[tuple[Cell, Tally]]:
    """Yields every cell that the conversation counts in, with its tally, users left at 0."""
    return profile_of(summary).cells()


class Profile(NamedTuple):
    """All that a conversation adds to the cells of its day: small enough to be remembered.

    Attributes:
      hour: hour of the day it started in.
      breakdowns: its values of `ATTRIBUTES`.
      length: name of its length bin.
      has_change: whether the change of its mood is defined.
      types, use, opening_type, closing_type, pushback_reasons: as in `ConversationSummary`.
      change: the change of its mood in sixths of a point, 0 where it is not defined.
    """

    hour: int
    breakdowns: tuple[str, ...]
    length: str
    has_change: bool
    types: int
    use: int
    opening_type: int
    closing_type: int
    pushback_reasons: int
    change: int

    def cells(self) -> Iterator[tuple[Cell, Tally]]:
        """Yields every cell that the conversation counts in, with its tally, users left at 0."""
        by_breakdown, changing = self._slices()
        plain = Tally(1, 0, 0, 0)
        with_change = Tally(1, 0, self.change, self.change * self.change)
        for hour in (DAY, self.hour):
            for breakdown, value in enumerate(self._values()):
                for index in by_breakdown[breakdown]:
                    cell = Cell(hour, breakdown, value, index)
                    yield cell, with_change if index in changing else plain

    def _values(self) -> tuple[str, ...]:
        return (ALL, *self.breakdowns, self.length)

    def _slices(self) -> Placed:
        is_long = LENGTH_BINS[LENGTHS.index(self.length)][0] > LONG_OVER
        return _placed(self.length, is_long, *self[_HAS_CHANGE:_CHANGE])


_HAS_CHANGE: Final = Profile._fields.index("has_change")
_CHANGE: Final = Profile._fields.index("change")


def cells_without(cells: Iterable[Cell], profiles: Iterable[Profile]) -> set[Cell]:
    """Returns those of the cells that no conversation of these profiles is in."""
    left: defaultdict[tuple[int, int, str], set[int]] = defaultdict(set)
    for hour, breakdown, value, index in cells:
        left[hour, breakdown, value].add(index)
    for profile in profiles:
        if not left:
            break
        values, slices = profile._values(), profile._slices().by_breakdown
        for place in list(left):
            hour, breakdown, value = place
            if values[breakdown] == value and hour in (DAY, profile.hour):
                left[place].difference_update(slices[breakdown])
                if not left[place]:
                    del left[place]
    return {Cell(*place, index) for place, indexes in left.items() for index in indexes}


def profile_of(summary: ConversationSummary) -> Profile:
    """Returns what the conversation adds to the cells of its day."""
    return Profile(
        _hour_of(summary),
        summary.breakdowns,
        length_of(summary.human_messages),
        summary.sentiment_change_sixths is not None,
        summary.types,
        summary.use,
        summary.opening_type,
        summary.closing_type,
        summary.pushback_reasons,
        summary.sentiment_change_sixths or 0,
    )


class SheetBuilder:
    """Adds up many users' conversations of one day, in place: what `cells_of` says, only faster.

    A conversation is in some eighty cells, so this is the innermost loop of a bounded run.
    """

    def __init__(self) -> None:
        self._places: defaultdict[tuple[int, int, str], dict[int, list[int]]] = defaultdict(dict)

    def add_user(self, summaries: Iterable[ConversationSummary]) -> None:
        """Adds all conversations of one user that started on the day.

        The user is counted once in every cell that any of them is in; conversations without a user
        are counted without one.
        """
        counted: set[int] = set()
        for summary in summaries:
            is_user = 1 if summary.user else 0
            change = summary.sentiment_change_sixths or 0
            by_breakdown, changing = slices_of(summary)
            for hour in (DAY, _hour_of(summary)):
                for breakdown, value in enumerate(_values_of(summary)):
                    row = self._places[hour, breakdown, value]
                    for index in by_breakdown[breakdown]:
                        sums = row.get(index)
                        if sums is None:
                            row[index] = sums = [0, 0, 0, 0]
                        sums[0] += 1
                        if is_user and id(sums) not in counted:
                            counted.add(id(sums))
                            sums[1] += 1
                        if change and index in changing:
                            sums[2] += change
                            sums[3] += change * change

    def sheet(self) -> Sheet:
        """Returns the sheet so far."""
        return Sheet(
            (Cell(*place, index), Tally(*sums))
            for place, row in self._places.items()
            for index, sums in row.items()
        )


def sheet_of(summaries: Iterable[ConversationSummary]) -> Sheet:
    """Returns the sheet that one user's conversations of one day add up to."""
    builder = SheetBuilder()
    builder.add_user(summaries)
    return builder.sheet()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[int, int, str, int, int, int, int, int]]).decode


assert LENGTH_BINS[4][0] == MIN_MESSAGES_FOR_CHANGE
assert LENGTH_BINS[6][1] == LONG_OVER
