"""Counts conversations in the plainest way, to compare the job's sums with."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.records import ConversationSummary
from tests.builders import rank_for
from transforms.counting.cells import ONE_USER
from transforms.counting.contribution import RankedSummary, record_key
from transforms.counting.profile import profile_of
from transforms.counting.totals import DayTotals


def ranked(*summaries: ConversationSummary) -> list[RankedSummary]:
    """Gives each summary a rank of its own."""
    return [(rank_for(number), summary) for number, summary in enumerate(summaries)]


def totals_of(conversations: Iterable[RankedSummary], sign: int = 1) -> DayTotals:
    """Returns the totals of some users' conversations on one day."""
    totals = DayTotals()
    met = set()
    for each, summary in conversations:
        for cell, sums in profile_of(summary).cells(record_key(each)):
            totals.add(cell, sums, sign)
            if summary.user and (summary.user, cell) not in met:
                met.add((summary.user, cell))
                totals.add(cell, ONE_USER, sign)
    return totals
