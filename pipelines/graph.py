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
    PayloadChunk,
    ScoredMessage,
)
from transforms.aggregate import CountTallied, SumDays, SummarizeConversations, TallyDays
from transforms.changes import CountPeople, PublishChanges
from transforms.decode import Decode
from transforms.ledger import BalanceLedger
from transforms.release import ReleaseChanges, ReleaseDays
from transforms.score import Score
from transforms.sessionize import FoldConversations, JoinSessions


class Outputs(NamedTuple):
    """What the job gives to be written."""

    aggregates: beam.PCollection[AggregateRow]
    dead_letters: beam.PCollection[DeadLetter]
    ledger: beam.PCollection[LedgerEntry]
    rates: beam.PCollection[ClassifierRate]


class _Counted(NamedTuple):
    aggregates: beam.PCollection[AggregateRow]
    ledger: beam.PCollection[LedgerEntry]


def assemble(payloads: beam.PCollection[PayloadChunk], settings: Settings) -> Outputs:
    """Builds the job between its edges.

    Args:
      payloads: chunks of records as a source hands them over.
      settings: how to count.

    Returns:
      Rows to write. A bounded run checks its ledger and fails if it does not balance.
    """
    decoded = payloads | "Decode" >> Decode(settings.limits)
    scored = decoded.messages | "Score" >> Score(settings.load_classifier)
    if payloads.is_bounded:
        counted = count_bounded(scored, settings)
        at_door = decoded.ledger
    else:
        counted = count_unbounded(scored, settings)
        at_door = decoded.ledger | "LedgerAtOnce" >> settings.firings.each_element()
    entries = (at_door, counted.ledger) | "FlattenLedger" >> beam.Flatten()
    if payloads.is_bounded:
        entries = entries | "BalanceLedger" >> BalanceLedger()
    rates = payloads.pipeline | "Rates" >> beam.Create(settings.classifier_rates, reshuffle=False)
    return Outputs(counted.aggregates, decoded.dead_letters, entries, rates)


def count_bounded(scored: beam.PCollection[list[ScoredMessage]], settings: Settings) -> _Counted:
    """Counts an input that ends: each conversation once, when all of it is known."""
    conversations = scored | "Sessionize" >> FoldConversations(settings.session_gap)
    sheets = (
        conversations.states
        | "Summarize" >> SummarizeConversations(settings.load_classifier)
        | "Tally" >> TallyDays()
    )
    tallied = sheets | "CountTallied" >> CountTallied()
    entries = (conversations.ledger, tallied) | "FlattenCounts" >> beam.Flatten()
    return _Counted(sheets | "Release" >> ReleaseDays(settings.stamp, settings.revision), entries)


def count_unbounded(scored: beam.PCollection[list[ScoredMessage]], settings: Settings) -> _Counted:
    """Counts an input that does not end: each conversation as it grows, by signed changes."""
    changes = (
        scored
        | "Sessionize" >> JoinSessions(settings.session_gap, settings.firings)
        | "Changes" >> PublishChanges(settings.load_classifier, settings.gap_us, settings.life_us)
    )
    aggregates = (
        changes.summaries
        | "CountPeople" >> CountPeople(settings.life_us)
        | "Tally" >> SumDays(settings.firings)
        | "Release" >> ReleaseChanges(settings.stamp, settings.clock)
    )
    return _Counted(aggregates, changes.ledger)
