"""Builds the exact counts of a window from conversations, and days to publish."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from schemas.breakdowns import ATTRIBUTES, BREAKDOWNS
from schemas.labels import AFFECTIVE_TYPES, USES
from schemas.records import ConversationSummary
from tests.builders import MONDAY_US, summary
from transforms.counting.cells import BREAKDOWN_IDS, OVERALL, Sums
from transforms.counting.places import KEY_SPACE, Place, WindowCounts
from transforms.counting.windows import day_window
from transforms.facets.facet import ALL, traits_of
from transforms.facets.lengths import length_of
from transforms.facets.registry import INDEX, SUMMING_CHANGE, Slice, slices_of
from transforms.publishing.policy import Policy
from transforms.publishing.publication import Provenance

MONDAY: Final = day_window(MONDAY_US)
EVERYONE: Final = INDEX[Slice("all", ALL)]
SENTIMENT: Final = INDEX[Slice("sentiment", ALL)]
WHOLE: Final = Place(OVERALL, ALL)
COUNTRY: Final = BREAKDOWN_IDS["country"]
STRICT: Final = Policy()
FEW: Final = Policy(min_users=3, min_conversations=3, variance=1.0, max_noise=2)
PROVENANCE: Final = Provenance("key-1", "1", "plain-1")

Cell = tuple[Place, int]


class Conversation(NamedTuple):
    """A conversation and its record key.

    Attributes:
      summary: what is counted.
      key: the record key.
    """

    summary: ConversationSummary
    key: int

    def cells(self) -> Iterator[Cell]:
        """Yields the cells that the conversation is in."""
        stated = dict(zip(ATTRIBUTES, self.summary.breakdowns, strict=True))
        values = {**stated, "overall": ALL, "length": length_of(self.summary.human_messages)}
        slices = slices_of(traits_of(self.summary))
        for breakdown, indexes in zip(BREAKDOWNS, slices, strict=True):
            for index in indexes:
                yield Place(breakdown.id, values[breakdown.name]), index


def keyed(summaries: Iterable[ConversationSummary], seed: int = 0) -> list[Conversation]:
    """Gives each conversation a random record key."""
    chance = random.Random(seed)
    return [Conversation(each, chance.randrange(KEY_SPACE)) for each in summaries]


def members_of(conversations: Iterable[Conversation]) -> dict[Cell, list[Conversation]]:
    """Returns the conversations of each cell."""
    members: defaultdict[Cell, list[Conversation]] = defaultdict(list)
    for conversation in conversations:
        for cell in conversation.cells():
            members[cell].append(conversation)
    return members


def counts_of(conversations: Iterable[Conversation]) -> WindowCounts:
    """Adds up the exact counts of a window."""
    counts: defaultdict[Place, dict[int, Sums]] = defaultdict(dict)
    for (place, index), members in members_of(conversations).items():
        counts[place][index] = _sums_of(members, index)
    return dict(counts)


def _sums_of(members: list[Conversation], index: int) -> Sums:
    moods = [each.summary.sentiment_change_300ths or 0 for each in members]
    has_change = index in SUMMING_CHANGE
    return Sums(
        len(members),
        len({each.summary.user for each in members} - {""}),
        sum(each.key for each in members),
        sum(moods) if has_change else 0,
        sum(mood * mood for mood in moods) if has_change else 0,
    )


def crowd(size: int, prefix: str = "u", **fields: object) -> list[ConversationSummary]:
    """Builds one conversation for each of a number of users."""
    return [summary(f"{prefix}{i}", **fields) for i in range(size)]  # type: ignore[arg-type]


def usual_day(conversations: int, seed: int) -> list[Conversation]:
    """Makes a day like those of a real assistant, with few affective and few long conversations."""
    chance = random.Random(seed)
    countries = ["US", "IN", "GB", "DE", "BR", "FR", "JP", "CA", "ES", "IT", "MX", "PL"]
    shares = [1 / rank for rank in range(1, len(countries) + 1)]

    def one() -> ConversationSummary:
        is_affective = chance.random() < 0.06
        types = chance.choices(AFFECTIVE_TYPES, (6, 5, 3, 2, 1)) if is_affective else []
        edge = types[0] if types and chance.random() < 0.8 else None
        return summary(
            f"u{chance.randrange(conversations * 2 // 3)}",
            types=types,
            use=chance.choices(USES[1:], (5, 6, 5, 4, 6, 3, 1))[0],
            human_messages=min(300, 1 + int(chance.lognormvariate(1.2, 0.9))),
            opening=edge,
            closing=edge,
            change=round(max(-600, min(600, chance.gauss(15, 120)))),
            reasons=chance.choices([0, 1, 4], (95, 3, 2))[0],
            platform=chance.choices(["web", "ios", "android"], (5, 3, 2))[0],
            country=chance.choices(countries, shares)[0],
            language=chance.choices(["en", "es", "de", "pt", "fr"], (10, 3, 2, 2, 1))[0],
            plan=chance.choices(["free", "pro", "team"], (7, 2, 1))[0],
            model=chance.choices(["large", "small"], (2, 1))[0],
        )

    return keyed([one() for _ in range(conversations)], seed)
