"""Times a change of a user's day, compared with a change of a day of three conversations.

Run: `python -m tests.benchmarks.bench_user_day`. A change reads the day from its state, applies a
signed summary and encodes the state again. The conversations are of random kinds, so hardly any two
are alike. The ratio of the two times is limited. A change must cost little more for a user id that
many people share than for the id of one person.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

from schemas.labels import TYPES
from schemas.records import ConversationSummary, SignedSummary
from tests.builders import summary
from transforms.counting.contribution import Rank, rank_of
from transforms.counting.user_day import UserDay

CONVERSATIONS: Final = (3, 10, 100, 1_000, 5_000, 50_000)
CHANGES: Final = 200
MOST_TIMES: Final = 5.0
LIMIT: Final = 100

_KINDS: Final[list[tuple[str, ...]]] = [(), TYPES[:1], TYPES[1:2], TYPES[:2], TYPES[5:]]


def conversations(seed: int) -> Iterator[tuple[Rank, ConversationSummary]]:
    """Yields random conversations of one user and day, without end."""
    chance = random.Random(seed)
    while True:
        types = chance.choices(_KINDS, (5, 3, 2, 1, 1))[0]
        edges: list[str | None] = [None, *types]
        rank = rank_of(blake2b(chance.randbytes(8), digest_size=24).digest())
        found = summary(
            "guest",
            chance.randrange(86_400),
            types=types,
            use=chance.choice(["work", "technical", "leisure"]),
            human_messages=chance.randrange(1, 120),
            opening=chance.choice(edges),
            closing=chance.choice(edges),
            change=chance.randint(-600, 600),
            reasons=chance.choice([0, 0, 1, 6]),
            platform=chance.choice(["web", "ios", "android"]),
            country=chance.choice(["DE", "FR", "US", "JP", "BR", "IN"]),
            language=chance.choice(["de", "fr", "en", "ja", "pt"]),
            plan=chance.choice(["free", "plus"]),
            model=chance.choice(["m-1", "m-2"]),
        )
        yield rank, found


def milliseconds_a_change(
    encoded: bytes, coming: Iterator[tuple[Rank, ConversationSummary]]
) -> float:
    """Returns the median processor time of adding one conversation to a day."""
    times = []
    for _ in range(CHANGES):
        rank, found = next(coming)
        began = time.process_time()
        UserDay.decode(encoded).apply(rank, SignedSummary(1, found), LIMIT).user_day.encode()
        times.append(1000 * (time.process_time() - began))
    return statistics.median(times)


def main() -> int:
    """Prints the figures; returns 1 if a ratio is over the limit."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    coming, probes = conversations(1), conversations(2)
    day, held = UserDay(), 0
    ordinary = worst = 0.0
    for size in CONVERSATIONS:
        for _ in range(size - held):
            rank, found = next(coming)
            day = day.apply(rank, SignedSummary(1, found), LIMIT).user_day
        held = size
        encoded = day.encode()
        took = milliseconds_a_change(encoded, probes)
        ordinary = ordinary or took
        worst = max(worst, took / ordinary)
        print(
            f"{size:>7,} conversations   {took:6.2f} ms a change   {took / ordinary:5.2f} times   "
            f"{len(encoded):7,} bytes of state"
        )
    is_over = worst > MOST_TIMES
    print(f"the bar is {MOST_TIMES} times the first line: {'missed' if is_over else 'held'}")
    return int(is_over)


if __name__ == "__main__":
    sys.exit(main())
