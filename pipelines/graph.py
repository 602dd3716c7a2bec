"""Builds the counting job, from the input records to the rows of the output tables.

A stream, a backfill and a local run differ only in their source, their sink and their `Settings`.
"""

from __future__ import annotations

from typing import NamedTuple

import apache_beam as beam

from pipelines.settings import Settings
from schemas.records import (
    AggregateRow,
    ClassifierRate,
    DeadLetter,
    LedgerEntry,
    LedgerTotal,
    LongConversation,
    PayloadChunk,
    ScoredMessage,
)
from schemas.tables import BATCH, STREAM
from transforms.balance import BalanceLedger, TotalLedger
from transforms.changes import CountUsers, EmitChanges
from transforms.count import CountDays, CountInTotals, SumChanges, SummarizeConversations
from transforms.create import CreateValues
from transforms.decode import Decode
from transforms.release import ReleaseChanges, ReleaseDays
from transforms.score import Score
from transforms.sessionize import FoldConversations, GatherConversations


class Outputs(NamedTuple):
    """The rows that the job produces, for a sink to write."""

    aggregates: beam.PCollection[AggregateRow]
    dead_letters: beam.PCollection[DeadLetter]
    ledger: beam.PCollection[LedgerTotal]
    rates: beam.PCollection[ClassifierRate]
    grown_long: beam.PCollection[LongConversation] | None
    """Alerts about conversations that grow past 50 human messages. None for a bounded input."""


class _Counted(NamedTuple):
    aggregates: beam.PCollection[AggregateRow]
    ledger: dict[str, beam.PCollection[LedgerEntry]]
    grown_long: beam.PCollection[LongConversation] | None


def assemble(payloads: beam.PCollection[PayloadChunk], settings: Settings) -> Outputs:
    """Builds the job between a source and a sink.

    Args:
      payloads: records as the source reads them, in chunks.
      settings: how to count.

    Returns:
      The rows to write. A bounded run fails if its ledger does not balance.
    """
    decoded = payloads | "Decode" >> Decode(settings.limits, settings.asked)
    scored = decoded.messages | "Score" >> Score(settings.load_classifier)
    if payloads.is_bounded:
        counted = count_bounded(scored, settings)
        total_ledger = BalanceLedger(settings.revision)
    else:
        counted = count_unbounded(scored, settings)
        total_ledger = TotalLedger(settings.firings, settings.clock, settings.revision)
    ledger = {"Decoded": decoded.ledger, **counted.ledger} | "Ledger" >> total_ledger
    rates = payloads.pipeline | "Rates" >> CreateValues(settings.classifier_rates, ClassifierRate)
    return Outputs(counted.aggregates, decoded.dead_letters, ledger, rates, counted.grown_long)


def count_bounded(scored: beam.PCollection[list[ScoredMessage]], settings: Settings) -> _Counted:
    """Counts a bounded input: each conversation once, after all its messages were read."""
    conversations = scored | "Sessionize" >> FoldConversations(settings.session_gap, settings.asked)
    days = (
        conversations.states
        | "Summarize" >> SummarizeConversations(settings.load_classifier)
        | "Count" >> CountDays(settings.max_conversations_per_user, settings.asked)
    )
    counted_in_totals = days.totals | "CountInTotals" >> CountInTotals()
    aggregates = days.totals | "Release" >> ReleaseDays(settings.stamp(BATCH), settings.revision)
    ledger = {
        "Conversations": conversations.ledger,
        "Users": days.ledger,
        "Totals": counted_in_totals,
    }
    return _Counted(aggregates, ledger, grown_long=None)


def count_unbounded(scored: beam.PCollection[list[ScoredMessage]], settings: Settings) -> _Counted:
    """Counts an unbounded input: a conversation is counted again whenever it grows.

    Each time a conversation changes, the new summary of the conversation is added to the counts,
    and its old summary is taken back.
    """
    changes = (
        scored
        | "Sessionize" >> GatherConversations(settings.session_gap, settings.firings)
        | "Changes"
        >> EmitChanges(settings.load_classifier, settings.gap_us, settings.kept_us, settings.clock)
    )
    users = changes.summaries | "CountUsers" >> CountUsers(
        settings.max_conversations_per_user, settings.kept_us, settings.clock
    )
    released = (
        users.changes
        | "Count" >> SumChanges(settings.firings)
        | "Release" >> ReleaseChanges(settings.stamp(STREAM), settings.clock, settings.kept_us)
    )
    ledger = {
        "Conversations": changes.ledger,
        "Users": users.ledger,
        "Totals": released.ledger,
    }
    return _Counted(released.rows, ledger, changes.grown_long)
