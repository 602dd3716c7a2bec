"""The whole job. Streaming, backfill and local runs differ only at the edges and in `Settings`."""

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
    """What the job gives to be written."""

    aggregates: beam.PCollection[AggregateRow]
    dead_letters: beam.PCollection[DeadLetter]
    ledger: beam.PCollection[LedgerTotal]
    rates: beam.PCollection[ClassifierRate]
    grown_long: beam.PCollection[LongConversation] | None
    """Of an unbounded job: each conversation that grows past 50 human messages, as it does."""


class _Counted(NamedTuple):
    aggregates: beam.PCollection[AggregateRow]
    ledger: dict[str, beam.PCollection[LedgerEntry]]
    grown_long: beam.PCollection[LongConversation] | None


def assemble(payloads: beam.PCollection[PayloadChunk], settings: Settings) -> Outputs:
    """Builds the job between its edges.

    Args:
      payloads: chunks of records as a source hands them over.
      settings: how to count.

    Returns:
      Rows to write. A bounded run checks its ledger and fails if it does not balance.
    """
    decoded = payloads | "Decode" >> Decode(settings.limits, settings.asked)
    scored = decoded.messages | "Score" >> Score(settings.load_classifier)
    if payloads.is_bounded:
        counted = count_bounded(scored, settings)
        total = BalanceLedger(settings.revision)
    else:
        counted = count_unbounded(scored, settings)
        total = TotalLedger(settings.firings, settings.clock, settings.revision)
    ledger = {"Decoded": decoded.ledger, **counted.ledger} | "Ledger" >> total
    rates = payloads.pipeline | "Rates" >> CreateValues(settings.classifier_rates, ClassifierRate)
    return Outputs(counted.aggregates, decoded.dead_letters, ledger, rates, counted.grown_long)


def count_bounded(scored: beam.PCollection[list[ScoredMessage]], settings: Settings) -> _Counted:
    """Counts an input that ends: each conversation once, when all of it is known."""
    conversations = scored | "Sessionize" >> FoldConversations(settings.session_gap, settings.asked)
    days = (
        conversations.states
        | "Summarize" >> SummarizeConversations(settings.load_classifier)
        | "Sums" >> CountDays(settings.max_conversations_per_user, settings.asked)
    )
    tallied = days.totals | "CountInTotals" >> CountInTotals()
    aggregates = days.totals | "Release" >> ReleaseDays(settings.stamp(BATCH), settings.revision)
    ledger = {
        "Conversations": conversations.ledger,
        "People": days.ledger,
        "Tallied": tallied,
    }
    return _Counted(aggregates, ledger, None)


def count_unbounded(scored: beam.PCollection[list[ScoredMessage]], settings: Settings) -> _Counted:
    """Counts an input that does not end: each conversation as it grows, by signed changes."""
    changes = (
        scored
        | "Sessionize" >> GatherConversations(settings.session_gap, settings.firings)
        | "Changes"
        >> EmitChanges(settings.load_classifier, settings.gap_us, settings.kept_us, settings.clock)
    )
    people = changes.summaries | "CountUsers" >> CountUsers(
        settings.max_conversations_per_user, settings.kept_us, settings.clock
    )
    released = (
        people.changes
        | "Sums" >> SumChanges(settings.firings)
        | "Release" >> ReleaseChanges(settings.stamp(STREAM), settings.clock, settings.kept_us)
    )
    ledger = {
        "Conversations": changes.ledger,
        "People": people.ledger,
        "Tallied": released.ledger,
    }
    return _Counted(released.rows, ledger, changes.grown_long)
