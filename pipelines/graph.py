"""Builds the counting job, from the input records to exact counts. Publishing is another job.

A stream, a backfill and a local run differ only in their source, their sink and their `Settings`.
"""

from __future__ import annotations

from typing import NamedTuple

import apache_beam as beam

from pipelines.settings import Settings
from schemas.counts import CountsRow
from schemas.judged import CandidatesRow
from schemas.records import (
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
from transforms.count import CountWindows, SummarizeConversations
from transforms.decode import Decode
from transforms.running_totals import KeepRunningTotals, SumChanges
from transforms.score import Score
from transforms.sessionize import FoldConversations, GatherConversations


class Outputs(NamedTuple):
    """The rows that the job produces, for a sink to write."""

    counts: beam.PCollection[CountsRow]
    candidates: beam.PCollection[CandidatesRow]
    """The conversations that may be sampled for judging."""
    dead_letters: beam.PCollection[DeadLetter]
    ledger: beam.PCollection[LedgerTotal]
    grown_long: beam.PCollection[LongConversation] | None
    """Alerts about conversations that grow past 50 human messages. None for a bounded input."""


class _Counted(NamedTuple):
    counts: beam.PCollection[CountsRow]
    candidates: beam.PCollection[CandidatesRow]
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
    decoded = payloads | "Decode" >> Decode(
        settings.limits, settings.load_pseudonyms, settings.asked
    )
    scored = decoded.messages | "Score" >> Score(settings.load_classifier)
    if payloads.is_bounded:
        counted = count_bounded(scored, settings)
        total_ledger = BalanceLedger(settings.revision)
    else:
        counted = count_unbounded(scored, settings)
        total_ledger = TotalLedger(settings.firings, settings.clock, settings.revision)
    ledger = {"Decoded": decoded.ledger, **counted.ledger} | "Ledger" >> total_ledger
    return Outputs(
        counted.counts, counted.candidates, decoded.dead_letters, ledger, counted.grown_long
    )


def count_bounded(scored: beam.PCollection[list[ScoredMessage]], settings: Settings) -> _Counted:
    """Counts a bounded input: each conversation once, after all its messages were read."""
    conversations = scored | "Sessionize" >> FoldConversations(settings.session_gap, settings.asked)
    windows = (
        conversations.states
        | "Summarize" >> SummarizeConversations(settings.load_classifier)
        | "Count"
        >> CountWindows(
            settings.max_conversations_per_user,
            settings.provenance(BATCH),
            settings.load_pseudonyms,
            settings.revision,
            settings.asked,
            settings.judgements_per_day,
        )
    )
    ledger = {"Conversations": conversations.ledger, "Totals": windows.ledger}
    return _Counted(windows.rows, windows.candidates, ledger, grown_long=None)


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
    totals = (
        users.changes
        | "Count" >> SumChanges(settings.firings, settings.judgements_per_day)
        | "KeepTotals"
        >> KeepRunningTotals(
            settings.provenance(STREAM),
            settings.load_pseudonyms,
            settings.revision,
            settings.clock,
            settings.kept_us,
            settings.judgements_per_day,
        )
    )
    ledger = {
        "Conversations": changes.ledger,
        "Users": users.ledger,
        "Totals": totals.ledger,
    }
    return _Counted(totals.rows, totals.candidates, ledger, changes.grown_long)
