"""Shows how the work of 100,000 new conversations a minute spreads over keys and workers.

Run: `python -m tests.benchmarks.bench_keys`. The steps of the streaming job count one minute of
conversations, without Beam, in bundles as Pub/Sub would give them. For each step that has keys it
prints how many elements arrive, how many the busiest key gets, and how evenly 20 workers are used
if keys are spread by a hash. A key that takes all elements one by one would stop the job from
scaling. The steps after the bundles get sums, so their numbers do not grow with the load.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import numpy as np

from schemas.labels import AFFECTIVE_TYPES, USES
from schemas.records import SignedSummary
from tests.builders import summary
from transforms.changes import _BundleChanges
from transforms.counting.candidates import candidate_of
from transforms.counting.cells import day_of
from transforms.counting.totals import PlaceKey
from transforms.counting.user_day import UserDay

WORKERS: Final = 20
MOST_OF_A_KEY: Final = 0.01
"""No key of the steps before the sums may get a larger part of the elements."""
MOST_OF_A_WORKER: Final = 2.0
"""No worker may get more than this times its fair part."""
_COUNTRIES: Final = 200
_LIMIT: Final = 100


def main() -> int:
    """Prints a line for each step; returns 1 if a key or worker gets too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=100_000, help="in the minute")
    parser.add_argument("--bundle", type=int, default=200, help="conversations in a bundle")
    arguments = parser.parse_args()
    random = np.random.default_rng(1)
    users, places, days = Counter[tuple[str, int]](), Counter[PlaceKey](), Counter[int]()
    known: defaultdict[tuple[str, int], UserDay] = defaultdict(UserDay)
    bundles = range(0, arguments.conversations, arguments.bundle)
    for _ in bundles:
        changes = _BundleChanges()
        for _ in range(arguments.bundle):
            rank, change = random.bytes(8), _new(random)
            day_us = day_of(change.summary.started_at_us)
            key = change.summary.user, day_us
            update = known[key].apply(rank, change, _LIMIT)
            known[key] = update.user_day
            users[key] += 1
            changes.add(day_us, update.added, change)
            for each in update.counted:
                candidate = candidate_of(each.rank, day_us, each.profile)
                changes.add_candidate(candidate, each.after - each.before)
        for each in changes.at_end_of_bundle():
            places[each.value[0]] += 1
    for place in places:
        days[day_of(place[1])] += 1
    print(f"{arguments.conversations:,} conversations in {len(bundles):,} bundles")
    checks = [
        _told("users and days, one by one", users, limits=True),
        _told("places, a sum for each bundle", places, limits=False),
        _told("places, a sum for each firing", Counter(dict.fromkeys(places, 1)), limits=True),
        _told("days, a stamp for each place and firing", days, limits=False),
    ]
    return int(not all(checks))


def _told(step: str, elements: Mapping[Any, int], *, limits: bool) -> bool:
    """Prints how a step's elements spread; returns whether they are within the limits."""
    total, most = sum(elements.values()), max(elements.values())
    workers = Counter[int]()
    for key, count in elements.items():
        digest = blake2b(repr(key).encode(), digest_size=4).digest()
        workers[int.from_bytes(digest, "big") % WORKERS] += count
    skew = max(workers.values()) * WORKERS / total
    print(
        f"  {step}: {total:,} elements, {len(elements):,} keys, at most {most:,} of a key, "
        f"busiest of {WORKERS} workers {skew:.2f} times its part"
    )
    return not limits or (most <= max(1, MOST_OF_A_KEY * total) and skew <= MOST_OF_A_WORKER)


def _new(random: np.random.Generator) -> SignedSummary:
    """Draws a new conversation of the last minutes; a few users are far more active than others."""
    is_affective = random.random() < 0.03
    return SignedSummary(
        1,
        summary(
            f"u{int(random.pareto(1.2) * 20_000)}",
            at_s=float(random.uniform(50_000, 50_060)),
            types=[str(random.choice(AFFECTIVE_TYPES[:4]))] if is_affective else [],
            use=str(random.choice(USES[1:])),
            human_messages=int(random.geometric(0.25)),
            platform=str(random.choice(["web", "ios", "android"])),
            country=f"C{min(int(random.pareto(1) * 4), _COUNTRIES)}",
            language=str(random.choice(["en", "es", "zh", "ja", "de"])),
            plan=str(random.choice(["free", "plus"])),
            model=str(random.choice(["m1", "m2", "m3"])),
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
