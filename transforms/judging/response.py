"""Corrects the probabilities of a sample of which only a part has been judged.

The conversations of a day are judged in the order of priority. So if judging stopped early, e.g.
because the money was spent or a reader took a break, those that were asked about are a smaller
sample of the same kind, with smaller probabilities. Of these, some may have no labels: the judge
refused, its answer was not valid, or the archive no longer has the text. They are taken to be like
the others, so the probabilities are multiplied by the share that has labels.

This module does not use Beam.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from schemas.judged import SampleRow, split_names
from schemas.labels import TYPES
from transforms.judging.allocation import weight
from transforms.judging.identity import RANDOM_SPACE, priority_of

Key = tuple[str, int]
"""The hash of a conversation, and when it began."""


def judged_part(sample: Iterable[SampleRow], judged: Collection[Key]) -> list[SampleRow]:
    """Returns the rows that have labels, with corrected probabilities, day by day.

    Args:
      sample: the samples of one or several days, in any order.
      judged: the conversations that have labels.
    """
    return [row for _, rows in sorted(_by_day(sample).items()) for row in _of_day(rows, judged)]


def in_order(sample: Iterable[SampleRow]) -> list[SampleRow]:
    """Returns the rows in the order in which they should be judged.

    Each day is in the order of priority. The days are mixed evenly, so that wherever judging stops,
    the same part of every day has been judged.
    """
    days = _by_day(sample)
    mixed = [
        ((place + 0.5) / len(rows), day_us, row)
        for day_us, rows in days.items()
        for place, row in enumerate(rows)
    ]
    return [row for *_, row in sorted(mixed, key=lambda each: each[:2])]


def _by_day(sample: Iterable[SampleRow]) -> dict[int, list[SampleRow]]:
    """Returns the rows of each day in the order of priority."""
    days: defaultdict[int, list[SampleRow]] = defaultdict(list)
    for row in sorted(sample, key=lambda row: (_priority(row), row.conversation)):
        days[row.day_us].append(row)
    return days


def _of_day(ordered: Sequence[SampleRow], judged: Collection[Key]) -> Iterator[SampleRow]:
    places = [n for n, row in enumerate(ordered) if (row.conversation, row.started_at_us) in judged]
    if not places:
        return
    asked = places[-1] + 1
    edge = _priority(ordered[asked]) if asked < len(ordered) else None
    response = len(places) / asked
    for place in places:
        row = ordered[place]
        probability = row.probability
        if edge is not None:
            probability = min(probability, edge * _weight(row) / RANDOM_SPACE)
        yield msgspec.structs.replace(row, probability=probability * response)


def _priority(row: SampleRow) -> int:
    return priority_of(bytes.fromhex(row.conversation), _weight(row))


def _weight(row: SampleRow) -> int:
    types = sum(1 << TYPES.index(name) for name in split_names(row.types))
    return weight(row.gate_logit, types, bool(row.pushback_reasons))
