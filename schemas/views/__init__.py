"""Lists and reads the SQL views over the tables. Each is a `.sql` file in BigQuery's dialect.

Each file starts with a comment that describes the view and cites the source of the view's
definition. The SQL refers to tables and views as `{dataset}.name`.
"""

from __future__ import annotations

from importlib import resources
from typing import Final

VIEWS: Final = (
    "facets",
    "aggregates_latest",
    "classifier_rates_latest",
    "ledger_latest",
    "daily_totals",
    "window_days",
    "window_totals",
    "cells",
    "raw_ratios",
    "ratios",
    "shares",
    "companionship_and_roleplay",
    "long_conversations",
    "long_conversation_types",
    "sentiment_change",
    "pushback",
    "drift",
    "drift_headline",
    "length_histogram",
)
"""All views. Each reads only views listed before it, so they can be created in this order."""

_DATASET: Final = "{dataset}"


def view_sql(name: str, dataset: str) -> str:
    """Returns a view's query for a dataset such as `undertone` or `project.undertone`."""
    return _read(name).replace(_DATASET, dataset)


def view_description(name: str) -> str:
    """Returns the opening comment of a view, as one paragraph."""
    lines = []
    for line in _read(name).splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(lines)


def _read(name: str) -> str:
    return resources.files(__name__).joinpath(f"{name}.sql").read_text("utf-8")
