"""The published tables, which analysts read, and the records that are their rows.

A publication is one window's rows in `aggregates` and `figures`, and one row in `publications` that
is written last and commits them. Tables are append-only. Every row names its publication and the
attempt that wrote it. The views show only rows of committed publications.

All numbers in `aggregates` and `figures` are made from perturbed counts.
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.breakdowns import ANY_NAME
from schemas.table import Column, Table

COMMITTED: Final = "committed"
WITHDRAWN: Final = "withdrawn"
"""Values of the column `status`."""

SHARE: Final = "share"
MEAN_CHANGE: Final = "mean_change"
RECALL: Final = "recall"
FALSE_ALARMS: Final = "false_alarms"
"""Values of the column `measure`."""

COUNTED: Final = "counted"
RAW: Final = "raw"
CORRECTED: Final = "corrected"
JUDGED: Final = "judged"
"""Values of the column `method`."""


class PublicationRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One publication of one window, or its withdrawal; a row of `PUBLICATIONS`.

    Attributes:
      publication: identifies the publication, e.g. `day/2026-11-20/1`.
      attempt: when the attempt that wrote the rows began, microseconds since the epoch.
      version: 1 for the first publication of the window, then 2, and so on.
      policy: how the numbers were protected, as JSON.
      key_id: identifies the secret that decided the noise.
      aggregates, figures: number of rows in each table.
      generations: how many jobs counted the window, one after another.
      judge: who judged a sample of the conversations, and its version; empty if nobody did.
      judgements: how many judged conversations the figures are made from, rounded down.
      rates: name of the classifier's error rates; empty if they are the shipped ones.
    """

    publication: str
    attempt: int
    status: str
    window_kind: str
    window_start_us: int
    window_end_us: int
    version: int
    policy: str
    key_id: str
    metrics_version: str
    classifier_version: str
    aggregates: int
    figures: int
    generations: int = 1
    judge: str = ""
    judgements: int = 0
    rates: str = ""


class AggregateRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The published number of conversations of one cell; a row of `AGGREGATES`."""

    publication: str
    attempt: int
    window_kind: str
    window_start_us: int
    window_end_us: int
    breakdown: str
    breakdown_value: str
    facet: str
    facet_value: str
    conversations: int


class FigureRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One figure of one breakdown value, with its 95 % interval; a row of `FIGURES`.

    A figure is a share, a mean, or how often the classifier is right.

    Attributes:
      measure: `SHARE`, `MEAN_CHANGE`, `RECALL` or `FALSE_ALARMS`.
      whole_facet, whole_value: the conversations of which this is a share; None if it is not one.
      conversations: published number of conversations of the part, or of those with a mean. For
        recall and false alarms, of all conversations.
      whole_conversations: published number of the whole; None if this is not a share.
      raw: the share in [0, 1] as classified, or the mean change in points of the scale -1..+1. For
        recall and false alarms, what was measured before; None if nothing was.
      corrected: the share or mean corrected for the classifier's errors, by a judged sample or by
        measured rates; None if there is no correction. For recall and false alarms, what the judged
        sample says.
      low, high: the interval of `corrected`, or of `raw` if there is no correction.
      method: `COUNTED`, `RAW`, `CORRECTED` or `JUDGED`.
    """

    publication: str
    attempt: int
    window_kind: str
    window_start_us: int
    window_end_us: int
    breakdown: str
    breakdown_value: str
    measure: str
    facet: str
    facet_value: str
    whole_facet: str | None
    whole_value: str | None
    conversations: int
    whole_conversations: int | None
    raw: float | None
    corrected: float | None
    low: float
    high: float
    method: str


_PUBLICATION: Final = (
    Column("publication", "STRING", "The publication that the row belongs to, e.g. "
           "day/2026-11-20/1: the kind of window, its name, and the version."),
    Column("attempt", "INT64", "When the attempt that wrote the row began, microseconds since the "
           "epoch. Only rows of the attempt that committed the publication count."),
)  # fmt: skip
_WINDOW: Final = (
    Column("window_kind", "STRING", "hour, day, week (ISO, Monday to Sunday), month or range (all "
           "days of one bounded run)."),
    Column("window_start", "TIMESTAMP", "Start of the window, UTC. A conversation belongs to the "
           "windows in which its first message was sent."),
    Column("window_end", "TIMESTAMP", "End of the window, UTC; not part of it."),
)  # fmt: skip
_PLACE: Final = (
    Column("breakdown", "STRING", f"{ANY_NAME}."),
    Column("breakdown_value", "STRING", "Value of the breakdown; all for overall; unknown if no "
           "event states it; other if the value is not valid, not on the operator's list, or not "
           "among the values with the most users."),
)  # fmt: skip

PUBLICATIONS: Final = Table(
    name="publications",
    description=(
        "One publication of one window: its receipt. This row is written last and commits the "
        "publication's rows in aggregates and figures. Append-only; a row with the status "
        "withdrawn takes an earlier publication back."
    ),
    columns=(
        *_PUBLICATION,
        Column("status", "STRING", "committed or withdrawn."),
        *_WINDOW,
        Column("version", "INT64", "1 for the first publication of the window, 2 for its first "
               "correction, and so on."),
        Column("policy", "STRING", "How the numbers were protected, as JSON: thresholds, variance "
               "and largest size of the noise, most values of a breakdown, and when a window is "
               "published."),
        Column("key_id", "STRING", "Identifies the secret that decided the noise. It tells "
               "nothing about the secret."),
        Column("metrics_version", "STRING", "Version of the definitions."),
        Column("classifier_version", "STRING", "Version of the classifier's weights; several are "
               "separated by commas."),
        Column("aggregates", "INT64", "Number of the publication's rows in aggregates."),
        Column("figures", "INT64", "Number of the publication's rows in figures."),
        Column("generations", "INT64", "How many jobs counted the window, one after another. With "
               "more than one, it is not corrected, because users can't be added up."),
        Column("judge", "STRING", "Who judged a sample of the conversations, and its version; "
               "empty if nobody did."),
        Column("judgements", "INT64", "How many judged conversations the figures are made from, "
               "rounded down to a multiple of min_users."),
        Column("rates", "STRING", "Which error rates of the classifier were used: the first digits "
               "of the SHA-256 of those that the operator gave; empty for those of the model "
               "card."),
    ),
    record=PublicationRow,
    partition_by="window_start",
    cluster_by=("window_kind",),
)  # fmt: skip

AGGREGATES: Final = Table(
    name="aggregates",
    description=(
        "The published number of conversations of one cell: those that started in one window, have "
        "one value of one breakdown, and belong to one value of one facet. A cell without a row "
        "has too few users or conversations. Append-only; read it through the view "
        "aggregates_current."
    ),
    columns=(
        *_PUBLICATION,
        *_WINDOW,
        *_PLACE,
        Column("facet", "STRING", "What the conversations have in common; the view facets says "
               "what each facet means."),
        Column("facet_value", "STRING", "Value of the facet; for long, sentiment and pushback the "
               "type within which they are counted, or all, or affective."),
        Column("conversations", "INT64", "Number of conversations, with noise: an unbiased "
               "estimate of the true number, off by at most max_noise of the policy."),
    ),
    record=AggregateRow,
    partition_by="window_start",
    cluster_by=("window_kind", "breakdown", "facet", "facet_value"),
)  # fmt: skip

FIGURES: Final = Table(
    name="figures",
    description=(
        "One figure: a share of conversations, a mean change of mood, or how often the classifier "
        "is right. It is for one window and one value of one breakdown, with its 95 % interval and "
        "the method. Made from the published "
        "numbers and, if the method is judged, from a judged sample. Append-only; read it through "
        "the view figures_current."
    ),
    columns=(
        *_PUBLICATION,
        *_WINDOW,
        *_PLACE,
        Column("measure", "STRING", "share: a share of conversations. mean_change: mean of the "
               "last three human messages minus that of the first three, for conversations of six "
               "or more, in points of the scale -1..+1. recall: of the conversations that a judge "
               "puts into the part, the share that the classifier puts there. false_alarms: the "
               "same of all other conversations."),
        Column("facet", "STRING", "Facet of the part."),
        Column("facet_value", "STRING", "Value of the part."),
        Column("whole_facet", "STRING", "Facet of the whole; null if it is not a share.", False),
        Column("whole_value", "STRING", "Value of the whole; null if it is not a share.", False),
        Column("conversations", "INT64", "Published number of conversations of the part; of all "
               "conversations for recall and false alarms."),
        Column("whole_conversations", "INT64", "Published number of conversations of the whole; "
               "null if it is not a share.", False),
        Column("raw", "FLOAT64", "The share, in 0..1, as the classifier gave the labels; or the "
               "mean. For recall and false alarms, what was measured before on other "
               "conversations; null if nothing was.", False),
        Column("corrected", "FLOAT64", "The share or mean corrected for the classifier's errors; "
               "null if it can't be. For recall and false alarms, what the judged sample says.",
               False),
        Column("low", "FLOAT64", "Lower end of the 95 % interval of corrected, or of raw if "
               "corrected is null. It covers chance in the conversations, in the rates or in the "
               "judged sample, and in the noise."),
        Column("high", "FLOAT64", "Upper end of the interval."),
        Column("method", "STRING", "counted: no label is involved. raw: as classified. corrected: "
               "by error rates that were measured elsewhere. judged: by a judged sample of these "
               "conversations."),
    ),
    record=FigureRow,
    partition_by="window_start",
    cluster_by=("window_kind", "breakdown", "facet", "facet_value"),
)  # fmt: skip

PUBLISHED_TABLES: Final = (PUBLICATIONS, AGGREGATES, FIGURES)
