"""Counts the rows that a stream writes into `counts` in a day of 50,000 conversations.

Run: `python -m tests.benchmarks.bench_rows`. The simulated messages arrive minute by minute, and
pass the logic of the streaming job, without Beam. In each counts period, each place that a change
touches is written once. At most 300,000 rows a day may be written.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Final

from pipelines.settings import Settings
from pipelines.simulator import SimulationSettings, Truth, simulate
from schemas.records import Encoding, PayloadChunk
from tests.builders import PSEUDONYMS
from tests.doubles import LabelReader
from transforms.classifiers.scoring import score_messages
from transforms.conversation.history import ConversationHistory
from transforms.conversation.messages import decode_chunk
from transforms.conversation.spans import fold_chunk
from transforms.counting.cells import DAY_US, day_of
from transforms.counting.contribution import rank_of
from transforms.counting.totals import PlaceKey
from transforms.counting.user_day import UserDay

MOST_ROWS: Final = 300_000
_SECOND_US: Final = 1_000_000


class Job:
    """The stateful steps of the streaming job, without Beam."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._histories: defaultdict[bytes, ConversationHistory] = defaultdict(ConversationHistory)
        self._users: defaultdict[tuple[str, int], UserDay] = defaultdict(UserDay)

    def fire(self, chunk: PayloadChunk) -> set[PlaceKey]:
        """Counts the messages of one firing period; returns the places that they touch."""
        gap_us, limit = self._settings.gap_us, self._settings.max_conversations_per_user
        touched: set[PlaceKey] = set()
        messages = decode_chunk(chunk, self._settings.limits, PSEUDONYMS)[0]
        spans = defaultdict(list)
        for key, span in fold_chunk(score_messages(messages, LabelReader()), gap_us):
            spans[key].append(span)
        for key, partials in spans.items():
            joined = self._histories[key].join(partials, LabelReader(), gap_us)
            self._histories[key] = joined.history
            for change in joined.changes:
                day_us = day_of(change.summary.started_at_us)
                user = self._users[change.summary.user, day_us]
                update = user.apply(rank_of(key), change, limit)
                self._users[change.summary.user, day_us] = update.user_day
                touched.update(update.added.by_place(day_us))
        return touched


def main() -> int:
    """Prints the rows of each day; returns 1 if a day of a steady stream has too many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=50_000, help="a day")
    parser.add_argument("--firing_period_s", type=int, default=60)
    parser.add_argument("--counts_period_s", type=int, default=120)
    arguments = parser.parse_args()
    settings = Settings(classifier_version=LabelReader.version)
    simulation = SimulationSettings(
        conversations=arguments.conversations, start=datetime(2026, 1, 5, tzinfo=UTC), days=1,
        labelled_text=True,
    )  # fmt: skip
    panes = defaultdict(list)
    for event in simulate(simulation, Truth(settings.gap_us)):
        panes[event["published_at_us"] // (arguments.firing_period_s * _SECOND_US)].append(event)
    job, touched = Job(settings), defaultdict[int, set[PlaceKey]](set)
    for number in sorted(panes):
        chunk = PayloadChunk(Encoding.AVRO, panes[number], None, "simulated")
        touched[number * arguments.firing_period_s // arguments.counts_period_s] |= job.fire(chunk)
    rows = Counter[int]()
    for number, places in touched.items():
        rows[number * arguments.counts_period_s * _SECOND_US // DAY_US] += len(places)
    for day, written in sorted(rows.items()):
        print(f"day {day - min(rows) + 1}: {written:,} rows")
    # In a steady stream, each day also has the conversations that began on the days before.
    print(f"each day of a steady stream: {rows.total():,} rows")
    return int(rows.total() > MOST_ROWS)


if __name__ == "__main__":
    sys.exit(main())
