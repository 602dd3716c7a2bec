"""Lists and reads the SQL views over the tables. Each is a `.sql` file in BigQuery's dialect.

Each file starts with a comment that describes the view and cites the source of the view's
definition. The SQL refers to published tables and views as `{dataset}.name`, and to restricted ones
as `{restricted}.name`. No published view reads a restricted table.
"""

from __future__ import annotations

from importlib import resources
from typing import Final

PUBLISHED_VIEWS: Final = (
    "facets",
    "publications_current",
    "aggregates_current",
    "figures_current",
    "receipts",
    "totals",
    "shares",
    "companionship_and_roleplay",
    "long_conversations",
    "long_conversation_types",
    "sentiment_change",
    "pushback",
    "drift_headline",
    "drift",
    "length_histogram",
    "model_watch",
)
"""The views for analysts. Each reads only views listed before it."""

RESTRICTED_VIEWS: Final = (
    "counts_current",
    "candidates_current",
    "sample_current",
    "judgements_current",
    "ledger_latest",
)
"""The views over exact numbers."""

VIEWS: Final = (*PUBLISHED_VIEWS, *RESTRICTED_VIEWS)
"""All views, in an order in which they can be created."""


def view_sql(name: str, dataset: str, restricted: str) -> str:
    """Returns a view's query.

    Args:
      name: name of the view.
      dataset: the published dataset, such as `project.undertone`.
      restricted: the restricted dataset, such as `project.undertone_counts`.
    """
    return _read(name).replace("{dataset}", dataset).replace("{restricted}", restricted)


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
