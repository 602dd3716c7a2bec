"""Simulates days that are published and corrected, for attacks on what was published.

A timeline is one day with six busy hours. A stream counts most conversations before the day is
published. Each night later conversations come, conversations grow, and two halves turn out to be
one. At the end a backfill counts the day again and finds more. After each of these every window is
published again, if the rules allow it.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from pipelines.operations.audit.evidence import Evidence, Version
from schemas.labels import AFFECTIVE_TYPES, USES
from schemas.published import COMMITTED
from schemas.records import ConversationSummary
from tests.builders import MONDAY_US, summary
from tests.counted import totals_of
from transforms.counting.cells import NOTHING
from transforms.counting.contribution import RankedSummary
from transforms.counting.places import Place, WindowCounts
from transforms.counting.totals import DayTotals
from transforms.counting.windows import Window
from transforms.publishing.policy import Policy
from transforms.publishing.publication import Provenance, Published, publish

BUSY_HOURS: Final = 6
NIGHTS: Final = 3
SLOWEST: Final = 0.5
FASTEST: Final = 200.0
"""Range of the users an hour."""

DEFAULT_POLICY: Final = Policy()
PROVENANCE: Final = Provenance("0a1b2c3d", "2", "test-1")
_COUNTRIES: Final = ("US", "DE", "FR", "BR", "IN", "JP", "GB", "ES", "IT", "NL", "SE", "CH")
_LANGUAGES: Final = {"US": "en", "GB": "en", "IN": "en", "BR": "pt", "CH": "de", "JP": "ja"}
_ZIPF: Final = [1 / (rank + 1) for rank in range(len(_COUNTRIES))]
_LENGTHS: Final = ((1, 30), (2, 20), (3, 14), (5, 12), (8, 12), (15, 7), (35, 3), (70, 2), (150, 1))
_USE_WEIGHTS: Final = (12, 14, 16, 22, 12, 14, 6, 4)

Users = dict[str, list[RankedSummary]]
"""The conversations of each user."""


class Timeline(NamedTuple):
    """What was published of one day, and the truth.

    Attributes:
      versions: all publications of all windows, the oldest first.
      counts: the last counts of each window.
      crossings: cells that appeared because fewer than min_users users came after the last version.
      withheld: large cells that the last publications lack.
      large: cells of the last counts that are large enough.
    """

    versions: Sequence[Published]
    counts: Mapping[Window, WindowCounts]
    crossings: int
    withheld: int
    large: int

    def evidence(self) -> Evidence:
        """Returns what an audit reads of it."""
        return Evidence(tuple(version_of(v, at) for at, v in enumerate(self.versions)), self.counts)


def version_of(published: Published, attempt: int = 1, status: str = COMMITTED) -> Version:
    """Returns a publication in the form that an audit reads."""
    numbers = {
        place: {index: sums.conversations for index, sums in cells.items()}
        for place, cells in published.cells.items()
    }
    return Version(
        published.name, attempt, published.window, published.version, status, published.policy,
        published.provenance.classifier_version, numbers, (), published.basis,
    )  # fmt: skip


def timeline(
    seed: int,
    corrections: int = NIGHTS + 1,
    policy: Policy = DEFAULT_POLICY,
) -> Timeline:
    """Simulates one day and its publications; the last correction is the backfill."""
    chance = random.Random(seed)
    rate = math.exp(chance.uniform(math.log(SLOWEST), math.log(FASTEST)))
    everyone = _population(chance, rate)
    arrived, missing = _stream(chance, everyone)
    totals = DayTotals()
    for conversations in arrived.values():
        totals.add_all(totals_of(conversations))
    last: dict[Window, Published] = {}
    versions, crossings = [], 0
    before: Mapping[Window, WindowCounts] = {}
    for night in range(corrections + 1):
        if night:
            late = chance.uniform(0.002, 0.05) if night <= NIGHTS else 1.0
            _night(chance, totals, arrived, missing, late)
        counts = by_window(totals)
        for window, cells in counts.items():
            made = publish(window, cells, last.get(window), policy, PROVENANCE)
            if made:
                crossings += _crossings(made, last.get(window), before.get(window, {}), policy)
                last[window] = made
                versions.append(made)
        before = counts
    large, withheld = _large(counts, last, policy)
    return Timeline(versions, counts, crossings, withheld, large)


def by_window(totals: DayTotals) -> dict[Window, WindowCounts]:
    """Returns the counts of the hours of the day `MONDAY_US`, and of the day."""
    found: defaultdict[Window, WindowCounts] = defaultdict(dict)
    for key, cells in totals.by_place(MONDAY_US).items():
        found[Window(*key[:3])][Place(*key[3:])] = cells
    return dict(found)


def _population(chance: random.Random, rate: float) -> Users:
    users = max(1, round(rate * BUSY_HOURS))
    return {f"u{number}": list(_of_user(chance, f"u{number}")) for number in range(users)}


def _of_user(chance: random.Random, user: str) -> Iterator[RankedSummary]:
    country = chance.choices(_COUNTRIES, _ZIPF)[0]
    fixed = {
        "country": country,
        "language": _LANGUAGES.get(country, country.lower()),
        "plan": chance.choices(["free", "plus", "team"], (7, 2, 1))[0],
        "platform": chance.choices(["web", "ios", "android"], (5, 3, 2))[0],
    }
    for _ in range(min(8, 1 + int(chance.expovariate(1.6)))):
        yield chance.randbytes(8), _conversation(chance, user, fixed)


def _conversation(
    chance: random.Random, user: str, fixed: Mapping[str, str]
) -> ConversationSummary:
    use = chance.choices(USES, _USE_WEIGHTS)[0]
    human_messages = chance.choices(*zip(*_LENGTHS, strict=True))[0]
    allowed = AFFECTIVE_TYPES if human_messages >= 4 else AFFECTIVE_TYPES[:4]
    types = chance.choices(allowed, (6, 4, 5, 3, 1)[: len(allowed)], k=chance.choice([1, 1, 2]))
    found = set(types) if use == "affective" else set[str]()
    edges: list[str | None] = [None, *sorted(found)]
    return summary(
        user,
        chance.uniform(8, 8 + BUSY_HOURS) * 3600.0,
        types=found,
        use=use,
        human_messages=human_messages,
        opening=chance.choice(edges),
        closing=chance.choice(edges),
        change=chance.randint(-300, 300),
        reasons=chance.choices([0, 1 << chance.randrange(8), 3], (90, 8, 2))[0],
        model=chance.choices(["m-1", "m-2", "m-3"], (6, 3, 1))[0],
        **fixed,
    )


def _stream(
    chance: random.Random, everyone: Users
) -> tuple[Users, list[tuple[str, RankedSummary]]]:
    """Divides the conversations into those that come in time and those that do not."""
    late = chance.uniform(0.01, 0.15)
    arrived: Users = {}
    missing = []
    for user, conversations in everyone.items():
        for each in conversations:
            if chance.random() < late:
                missing.append((user, each))
            else:
                arrived.setdefault(user, []).append(each)
    chance.shuffle(missing)
    return arrived, missing


def _night(
    chance: random.Random, totals: DayTotals, arrived: Users,
    missing: list[tuple[str, RankedSummary]], late: float,
) -> None:  # fmt: skip
    """Changes the counts: late conversations come, some grow, and some are joined."""
    changed: Users = {}

    def of(user: str) -> list[RankedSummary]:
        return changed.setdefault(user, list(arrived.get(user, ())))

    for _ in range(math.ceil(late * len(missing)) if late < 1 else len(missing)):
        user, each = missing.pop()
        of(user).append(each)
    for user in chance.sample(sorted(arrived), k=math.ceil(0.01 * len(arrived))):
        conversations = of(user)
        if len(conversations) > 1 and chance.random() < 0.5:
            conversations.pop()  # It was the second half of the one before.
        if conversations:
            rank, old = conversations[-1]
            conversations[-1] = rank, _grown(old)
    for user, conversations in changed.items():
        totals.add_all(totals_of(arrived.get(user, ())), -1).add_all(totals_of(conversations))
        arrived[user] = conversations


def _grown(old: ConversationSummary) -> ConversationSummary:
    """Returns a conversation after further messages, which make it longer and change its end."""
    return msgspec.structs.replace(
        old,
        human_messages=old.human_messages + 30,
        closing_type=old.opening_type,
        sentiment_change_300ths=(old.sentiment_change_300ths or 0) + 10,
        pushback_reasons=old.pushback_reasons | 1,
    )


def _crossings(
    made: Published, last: Published | None, before: WindowCounts, policy: Policy
) -> int:
    """Counts cells that appear although fewer than min_users came since the last counts."""
    if last is None:
        return 0
    return sum(
        1
        for place, cells in made.basis.items()
        for index, sums in cells.items()
        if index not in last.basis.get(place, {})
        and sums.users - before.get(place, {}).get(index, NOTHING).users < policy.min_users
    )


def _large(
    counts: Mapping[Window, WindowCounts], last: Mapping[Window, Published], policy: Policy
) -> tuple[int, int]:
    large = withheld = 0
    for window, places in counts.items():
        for place, cells in places.items():
            for index, sums in cells.items():
                if policy.allows(sums):
                    large += 1
                    withheld += index not in last[window].basis.get(place, {})
    return large, withheld
