"""Describes the columns of the views, for the catalogue and for BigQuery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.counts import COUNTS
from schemas.judged import CANDIDATES, JUDGEMENTS, SAMPLE
from schemas.published import AGGREGATES, FIGURES, PUBLICATIONS
from schemas.table import Table
from schemas.tables import LEDGER

_OF_TABLES: Final[Mapping[str, Table]] = {
    "publications_current": PUBLICATIONS,
    "aggregates_current": AGGREGATES,
    "figures_current": FIGURES,
    "counts_current": COUNTS,
    "candidates_current": CANDIDATES,
    "sample_current": SAMPLE,
    "judgements_current": JUDGEMENTS,
    "ledger_latest": LEDGER,
}
"""Views that only select rows of a table. They have the same columns as the table."""

_PUBLISHED: Final = (FIGURES, PUBLICATIONS)
"""Tables whose columns keep their name and meaning in the other views."""

_COMMON: Final[Mapping[str, str]] = {
    "share_of": "What the share is of: all conversations, or the affective ones.",
    "correction": "How the share is corrected: counted (nothing to correct), direct, quotient, "
    "inside, union or none. docs/shares.md explains each.",
    "definition": "What the facet means.",
    "share": "The share, in 0..1: corrected for the classifier's errors if method is corrected, "
    "otherwise as counted.",
    "low": "Lower end of the share's 95 % interval. It covers chance in the conversations, in the "
    "rates and in the noise.",
    "high": "Upper end of the interval.",
    "raw_share": "The share as the classifier gave the labels.",
    "min_users": "Distinct users that a published cell has at least.",
    "min_conversations": "Conversations that a published cell has at least.",
    "noise_variance": "Variance of the noise on a number of conversations.",
    "max_noise": "The most that noise changes a number of conversations.",
    "max_values": "At most this many values of a breakdown are published; the rest is other.",
    "is_exact": "There is neither noise nor threshold, as for one's own data.",
    "conversation_group": "all, affective, or a type.",
    "recall": "Of the conversations that the judge puts into the part, the share that the "
    "classifier finds, in 0..1.",
    "recall_low": "Lower end of its 95 % interval.",
    "recall_high": "Upper end of its 95 % interval.",
    "card_recall": "The recall that was measured before, on other conversations; null if none was.",
    "false_alarms": "Of all other conversations, the share that the classifier puts into the part, "
    "in 0..1.",
    "false_alarms_low": "Lower end of its 95 % interval.",
    "false_alarms_high": "Upper end of its 95 % interval.",
    "card_false_alarms": "The false alarms that were measured before, on other conversations; null "
    "if none were.",
    "human_messages": "Bin of human messages.",
    "at_least": "Smallest number of human messages in the bin.",
    "mean_change": "Mean of the last three human messages minus that of the first three, in points "
    "of the scale -1..+1.",
    "type": "Type within which pushback is counted, or all; null if the row has a reason.",
    "reason": "Reason for pushback, as a share of those with pushback; null if the row has a type.",
    "scope": "all or long (conversations of more than 50 human messages).",
    "opening_type": "Type of the first three human messages, or none.",
    "closing_type": "Type of the last three human messages, or none.",
}

_OWN: Final[Mapping[tuple[str, str], str]] = {
    ("facets", "facet"): "Name of the facet, as in aggregates.",
    ("facets", "share_of"): "What its values are a share of: all conversations, the group that the "
    "value names, the long ones, those with pushback, those with the same opening, those with the "
    "facet's first value, or none.",
    ("totals", "conversations"): "Published number of conversations.",
    ("sentiment_change", "conversations"): "Published number of conversations of six or more human "
    "messages.",
    ("sentiment_change", "low"): "Lower end of the mean's 95 % interval.",
}  # fmt: skip


def column_description(view: str, column: str) -> str:
    """Returns the description of a column of a view.

    Raises:
      KeyError: if the column has no description.
    """
    if view in _OF_TABLES:
        return _of((_OF_TABLES[view],))[column]
    return _OWN.get((view, column)) or _COMMON.get(column) or _of(_PUBLISHED)[column]


def _of(tables: tuple[Table, ...]) -> dict[str, str]:
    return {c.name: c.description for table in reversed(tables) for c in table.columns}
