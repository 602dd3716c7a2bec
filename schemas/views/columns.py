"""What the columns of the views mean: one place for the catalogue and for BigQuery."""

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
"""Views that only choose rows of a table; their columns are the table's."""

_COMMON: Final[Mapping[str, str]] = {
    "window_start": "Start of the window's first day, or of the hour, UTC.",
    "granularity": "hour, day, trailing_7_days, trailing_28_days or period (all days). Windows of "
    "several days overlap: choose one.",
    "last_day": "UTC day with which the window ends; by it a day and its trailing windows stand "
    "side by side.",
    "day_start": "Start of a day that is in the window, UTC.",
    "breakdown": f"{ANY_NAME}.",
    "breakdown_value": "Value of the breakdown; all for overall; not_published for the suppressed "
    "values together.",
    "facet": "What the conversations have in common, as in aggregates; also drift_headline and "
    "drift_long_headline (opened as coaching or counseling).",
    "share_of": "What its values are a share of: all conversations, the group that the value "
    "names, those with pushback, those of the same opening, or none.",
    "correction": "How the share is corrected: counted (nothing to correct), direct, quotient, "
    "inside or none; ratios says how.",
    "definition": "What the facet means.",
    "facet_value": "Value of the facet.",
    "conversations": "Conversations of the part, over the days on which it and its whole were "
    "released.",
    "users": "Distinct users they are of; null over several days, for they can't be added up.",
    "sentiment_change_sixths": "Facet sentiment: sum of the changes, in sixths of a point.",
    "sentiment_change_squares": "Facet sentiment: sum of their squares, in thirty-sixths.",
    "days": "Days of the window on which it was released.",
    "min_users": "Largest threshold that was in force: distinct users a cell must have.",
    "min_conversations": "Largest threshold that was in force: conversations a cell must have.",
    "classifier_version": "Version of the classifier's weights; null where several meet.",
    "is_exhaustive": "Nothing was withheld (thresholds of 1): a missing cell is a true zero.",
    "whole_facet": "Facet of what the part is a share of.",
    "whole_value": "Value of the facet of what the part is a share of.",
    "whole_conversations": "Conversations of the whole; null where it was withheld.",
    "whole_days": "Days of the window on which the whole was released; fewer than the window has "
    "at the table's beginning and where days were withheld.",
    "all_conversations": "All conversations, on the days of the whole.",
    "all_days": "Days of the window on which the number of all conversations was released.",
    "all_long_conversations": "All conversations of more than 50 human messages.",
    "affective_conversations": "Affective conversations.",
    "affective_users": "Distinct users of the affective conversations.",
    "long_conversations": "Conversations of more than 50 human messages.",
    "pushback_conversations": "Conversations in which the assistant pushed back.",
    "alike_conversations": "Facets long and pushback: all conversations that are long, or have "
    "pushback, whatever their type.",
    "withheld": "Conversations that the part may have besides, in cells that were not released; "
    "null where unknown.",
    "raw_share": "Part / whole as the classifier counted; a lower bound unless withheld is 0.",
    "share_low": "Lower end of the raw share's 95 % interval (Wilson).",
    "share_high": "Upper end; null where withheld is unknown.",
    "corrected_share": "Share with the classifier's measured errors taken out; null where it "
    "can't be had.",
    "corrected_low": "Lower end of the corrected share's 95 % interval.",
    "corrected_high": "Upper end; null where withheld is not 0, or there is none.",
    "raw_share_of_affective": "Types: raw share of the affective conversations.",
    "share_of_affective_low": "Lower end of its 95 % interval.",
    "share_of_affective_high": "Upper end of its 95 % interval.",
    "corrected_share_of_affective": "Types: corrected share of the affective conversations.",
    "corrected_share_of_affective_low": "Lower end of its 95 % interval.",
    "corrected_share_of_affective_high": "Upper end of its 95 % interval.",
    "raw_share_at_least": "Raw share of the largest of the types.",
    "raw_share_at_most": "Sum of their raw shares; null where something was withheld.",
    "corrected_share_at_least": "Corrected share of the largest of the types.",
    "corrected_share_at_most": "Sum of their corrected shares; null where one has none.",
    "released_types": "How many of companionship, romantic_roleplay and roleplay were released.",
    "conversation_group": "all, affective, or a type.",
    "human_messages": "Bin of human messages; not_published for all bins withheld.",
    "at_least": "Least number of human messages in the bin.",
    "mean_change": "Mean of the last three human messages less that of the first three, in points "
    "of the scale -1..+1.",
    "sd_change": "Standard deviation of the changes.",
    "change_low": "Lower end of the mean's 95 % interval; null below 15 conversations.",
    "change_high": "Upper end of the mean's 95 % interval; null below 15 conversations.",
    "type": "Type within which pushback is counted, or all; null where a reason is set.",
    "reason": "Reason of pushback, as a share of those with pushback; null where a type is set.",
    "scope": "all or long (conversations of more than 50 human messages).",
    "opening_type": "Type of the first three human messages, or none.",
    "closing_type": "Type of the last three human messages, or none.",
    "opening_conversations_at_most": "Conversations that opened so: in pairs released, and all of "
    "no released pair.",
    "is_headline": "From coaching or counseling to companionship.",
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
    ("sentiment_change", "conversations"): "Conversations of six human messages or more.",
    ("pushback", "whole_conversations"): "Conversations of the type, or all with pushback.",
    ("companionship_and_roleplay", "corrected_low"): "Lower end of the largest type's interval.",
    ("companionship_and_roleplay", "corrected_high"): "Sum of the upper ends of all intervals.",
}  # fmt: skip


def column_description(view: str, column: str) -> str:
    """Returns what a column of a view means.

    Raises:
      KeyError: nothing says it.
    """
    if view in _OF_TABLES:
        return next(c.description for c in _OF_TABLES[view].columns if c.name == column)
    return _OWN.get((view, column)) or _COMMON[column]
