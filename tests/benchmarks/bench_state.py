"""Prints how many bytes of state the streaming job keeps for an open conversation.

Run: `python -m tests.benchmarks.bench_state --conversations 3000 --days 2`. The conversations come
from the simulator, and are complete. The benchmark encodes the states that the two stateful steps
keep for these conversations. It divides the state of a user's day by the number of conversations on
that day. The median over the conversations may be at most 600 bytes for both steps together.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from fastavro import block_reader

from pipelines.settings import Settings
from pipelines.simulator import SimulationSettings, write_simulation
from schemas.records import ConversationSummary, Encoding, PayloadChunk
from tests.builders import PSEUDONYMS
from transforms.changes import UserDayKey
from transforms.classifiers import load_default
from transforms.classifiers.scoring import score_messages
from transforms.conversation.history import ConversationHistory
from transforms.conversation.messages import decode_chunk
from transforms.conversation.spans import Span, fold_chunk
from transforms.counting.cells import day_of
from transforms.counting.contribution import rank_of
from transforms.counting.user_day import UserDay

MOST_BYTES: Final = 600

Held = dict[bytes, ConversationHistory]


def histories_of(files: Sequence[Path]) -> tuple[Held, dict[UserDayKey, UserDay]]:
    """Returns the state of each conversation and of each user and day, after the last file."""
    settings, classifier = Settings(), load_default()
    seen: defaultdict[bytes, list[Span]] = defaultdict(list)
    for path in files:
        with path.open("rb") as file:
            for block in block_reader(file, handle_unicode_errors="surrogateescape"):
                chunk = PayloadChunk(Encoding.AVRO, list(block), None, path.name)
                messages = decode_chunk(chunk, settings.limits, PSEUDONYMS)[0]
                for key, partial in fold_chunk(
                    score_messages(messages, classifier), settings.gap_us
                ):
                    seen[key].append(partial)
    held: Held = {}
    days: defaultdict[UserDayKey, UserDay] = defaultdict(UserDay)
    for key, partials in seen.items():
        joined = ConversationHistory().join(partials, classifier, settings.gap_us)
        held[key] = joined.history
        for change in joined.changes:
            if change.summary.user:
                user_day = change.summary.user, day_of(change.summary.started_at_us)
                days[user_day] = (
                    days[user_day]
                    .apply(rank_of(key), change, settings.max_conversations_per_user)
                    .user_day
                )
    return held, days


def share_of(summary: ConversationSummary, days: dict[UserDayKey, UserDay]) -> float:
    """Returns how many bytes of the state of the user's day fall to one conversation."""
    if not summary.user:
        return 0.0
    day = days[summary.user, day_of(summary.started_at_us)]
    return len(day.encode()) / sum(known.times for known in day.known)


def say(name: str, sizes: Sequence[float]) -> None:
    """Prints one line of figures."""
    print(
        f"{name:<30}median {statistics.median(sizes):6.0f}   mean {statistics.mean(sizes):6.0f}"
        f"   95 % {statistics.quantiles(sizes, n=20)[-1]:6.0f}   most {max(sizes):6.0f}"
    )


def main() -> int:
    """Prints the figures; returns 1 if the median is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=3000)
    parser.add_argument("--days", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        simulation = SimulationSettings(
            conversations=arguments.conversations,
            start=datetime(2026, 1, 5, tzinfo=UTC),
            days=arguments.days,
        )
        write_simulation(Path(folder), simulation)
        held, days = histories_of(sorted(Path(folder).glob("*.avro")))
    histories = [len(history.encode()) for history in held.values()]
    shares = [sum(share_of(p, days) for p in history.published) for history in held.values()]
    total = [history + share for history, share in zip(histories, shares, strict=True)]
    say("messages", [sum(s.messages for s in h.spans) for h in held.values()])
    say("conversation's history, bytes", histories)
    say("share of the user's day", shares)
    say("total", total)
    is_over = statistics.median(total) > MOST_BYTES
    print(f"{len(held):,} conversation ids; the bar is a median of {MOST_BYTES} bytes: "
          f"{'missed' if is_over else 'met'}")  # fmt: skip
    return int(is_over)


if __name__ == "__main__":
    sys.exit(main())
