"""Describes the columns of the views, for the catalogue and for BigQuery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.breakdowns import ANY_NAME
from schemas.tables import AGGREGATES, CLASSIFIER_RATES, LEDGER, Table

_OF_TABLES: Final[Mapping[str, Table]] = {
    "aggregates_latest": AGGREGATES,
    "classifier_rates_latest": CLASSIFIER_RATES,
    "ledger_latest": LEDGER,
}
"""Views that only select rows of a table. They have the same columns as the table."""

_COMMON: Final[Mapping[str, str]] = {
    "window_start": "Start of the hour, or of the window's first day, UTC.",
    "granularity": "hour, day, trailing_7_days, trailing_28_days or period (all days). Windows of "
    "several days overlap, so choose one.",
    "last_day": "Last UTC day of the window. A day and its trailing windows share it.",
    "day_start": "Start of a day in the window, UTC.",
    "breakdown": f"{ANY_NAME}.",
    "breakdown_value": "Value of the breakdown; all for overall; not_published for all suppressed "
    "values together.",
    "facet": "What the conversations have in common, as in aggregates; also drift_headline and "
    "drift_long_headline (opened as coaching or counseling).",
    "share_of": "What its values are a share of: all conversations, the group that the value "
    "names, those with pushback, those with the same opening, or none.",
    "correction": "How the share is corrected: counted (nothing to correct), direct, quotient, "
    "inside or none. The view ratios explains each.",
    "definition": "What the facet means.",
    "facet_value": "Value of the facet.",
    "conversations": "Conversations in the part, on the days on which both part and whole were "
    "released.",
    "users": "Distinct users of these conversations; null over several days, because users can't "
    "be added up.",
    "sentiment_change_300ths": "Facet sentiment: sum of the changes, in three-hundredths "
    "of a point.",
    "sentiment_change_squares": "Facet sentiment: sum of the squared changes, in "
    "ninety-thousandths.",
    "days": "Number of days in the window on which this figure was released.",
    "min_users": "Largest threshold in use: distinct users that a cell must have.",
    "min_conversations": "Largest threshold in use: conversations that a cell must have.",
    "classifier_version": "Version of the classifier's weights; null if there are several.",
    "is_exhaustive": "Nothing was withheld (thresholds of 1), so a missing cell is a true zero.",
    "whole_facet": "Facet of the whole that the part is a share of.",
    "whole_value": "Value of that facet.",
    "whole_conversations": "Conversations in the whole; null if it was withheld.",
    "whole_days": "Number of days in the window on which the whole was released; smaller at the "
    "start of the table and where days were withheld.",
    "all_conversations": "All conversations on the days of the whole.",
    "all_days": "Days of the window on which the number of all conversations was released.",
    "all_long_conversations": "All conversations of more than 50 human messages.",
    "affective_conversations": "Affective conversations.",
    "affective_users": "Distinct users of affective conversations.",
    "long_conversations": "Conversations of more than 50 human messages.",
    "pushback_conversations": "Conversations in which the assistant pushed back.",
    "alike_conversations": "Facets long and pushback: conversations of any type that are long, or "
    "have pushback.",
    "withheld": "How many more conversations the part may have in cells that were not released; "
    "null if unknown.",
    "raw_share": "Part / whole as the classifier counted; a lower bound unless withheld is 0.",
    "share_low": "Lower end of the raw share's 95 % interval (Wilson).",
    "share_high": "Upper end of that interval; null if withheld is unknown.",
    "corrected_share": "Share with the classifier's measured errors taken out; null if no measured "
    "rates support it, and for uses other than affective, which only the report corrects.",
    "corrected_low": "Lower end of the corrected share's 95 % interval.",
    "corrected_high": "Upper end of that interval; null if withheld is not 0, or if the interval "
    "has no upper end.",
    "raw_share_of_affective": "Types: raw share of the affective conversations.",
    "share_of_affective_low": "Lower end of its 95 % interval.",
    "share_of_affective_high": "Upper end of its 95 % interval.",
    "corrected_share_of_affective": "Types: corrected share of the affective conversations.",
    "corrected_share_of_affective_low": "Lower end of its 95 % interval.",
    "corrected_share_of_affective_high": "Upper end of its 95 % interval.",
    "raw_share_at_least": "Raw share of the largest of the three types.",
    "raw_share_at_most": "Sum of their raw shares; null if something was withheld.",
    "corrected_share_at_least": "Corrected share of the largest of the three types.",
    "corrected_share_at_most": "Sum of their corrected shares; null if one of them has none or "
    "something was withheld.",
    "released_types": "How many of companionship, romantic_roleplay and roleplay were released.",
    "conversation_group": "all, affective, or a type.",
    "human_messages": "Bin of human messages; not_published for all withheld bins together.",
    "at_least": "Smallest number of human messages in the bin.",
    "mean_change": "Mean of the last three human messages minus that of the first three, in points "
    "of the scale -1..+1.",
    "sd_change": "Standard deviation of the changes.",
    "change_low": "Lower end of the mean's 95 % interval; null below 15 conversations.",
    "change_high": "Upper end of the mean's 95 % interval; null below 15 conversations.",
    "type": "Type within which pushback is counted, or all; null if the row has a reason.",
    "reason": "Reason for pushback, as a share of those with pushback; null if the row has a type.",
    "scope": "all or long (conversations of more than 50 human messages).",
    "opening_type": "Type of the first three human messages, or none.",
    "closing_type": "Type of the last three human messages, or none.",
    "opening_conversations_at_most": "Conversations in released pairs with this opening, plus all "
    "conversations in no released pair.",
    "is_headline": "Whether the drift is from coaching or counseling to companionship.",
}

_OWN: Final[Mapping[tuple[str, str], str]] = {
    ("facets", "facet"): "Name of the facet, as in aggregates.",
    ("daily_totals", "window_start"): "Start of the day, UTC.",
    ("daily_totals", "conversations"): "Conversations that started on the day.",
    ("daily_totals", "users"): "Distinct users of the day.",
    ("window_days", "granularity"): "trailing_7_days, trailing_28_days or period (all days).",
    ("window_totals", "granularity"): "trailing_7_days, trailing_28_days or period (all days).",
    ("window_totals", "conversations"): "Sum over the days on which the cell was released.",
    ("cells", "conversations"): "Number of conversations; a sum over the days on which the cell "
    "was released.",
    ("sentiment_change", "conversations"): "Conversations of six or more human messages.",
    ("pushback", "whole_conversations"): "Conversations of the type; for a reason, those with "
    "pushback.",
    ("companionship_and_roleplay", "corrected_low"): "Lower end of the largest type's interval.",
    ("companionship_and_roleplay", "corrected_high"): "Sum of the upper ends of all intervals.",
}  # fmt: skip


def column_description(view: str, column: str) -> str:
    """Returns the description of a column of a view.

    Raises:
      KeyError: if the column has no description.
    """
    if view in _OF_TABLES:
        return next(c.description for c in _OF_TABLES[view].columns if c.name == column)
    return _OWN.get((view, column)) or _COMMON[column]
