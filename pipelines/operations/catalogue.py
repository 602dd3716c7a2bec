"""The catalogue of tables and views; run this module to write `docs/tables.md`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from pipelines.sinks.database import create_empty
from schemas.breakdowns import BREAKDOWNS, Breakdown
from schemas.tables import TABLES, Column
from schemas.views import VIEWS, view_description
from schemas.views.columns import column_description
from transforms.facets.registry import FACETS

CATALOGUE: Final = Path(__file__).parents[2] / "docs" / "tables.md"

_BIGQUERY_TYPES: Final = {
    "BIGINT": "INT64",
    "BOOLEAN": "BOOL",
    "DATE": "DATE",
    "DOUBLE": "FLOAT64",
    "HUGEINT": "INT64",
    "TIMESTAMP": "TIMESTAMP",
    "VARCHAR": "STRING",
}
_SHOWN_VALUES: Final = 12
_SOURCE: Final = re.compile(r" ?Source: .*$")
_LATEST_WEEK: Final = """\
  AND granularity = 'trailing_7_days'
  AND last_day = (SELECT MAX(last_day) FROM `{dataset}.window_days`)"""


class Figure(NamedTuple):
    """One figure of the study.

    Attributes:
      name: title that says what the figure shows.
      views: the views that contain it.
      query: an example, in BigQuery's dialect; `{dataset}` stands for the dataset.
    """

    name: str
    views: tuple[str, ...]
    query: str


FIGURES: Final = (
    Figure("Share of affective conversations", ("shares",), f"""\
SELECT corrected_share, corrected_low, corrected_high, raw_share, all_conversations, all_days
FROM `{{dataset}}.shares`
WHERE breakdown = 'overall' AND facet = 'use' AND facet_value = 'affective'
{_LATEST_WEEK}"""),
    Figure("The same for each day, and for the 7 and 28 days that end with it", ("shares",), """\
SELECT last_day, granularity, corrected_share, corrected_low, corrected_high, raw_share, all_days
FROM `{dataset}.shares`
WHERE breakdown = 'overall' AND facet = 'use' AND facet_value = 'affective'
  AND granularity IN ('day', 'trailing_7_days', 'trailing_28_days')
ORDER BY last_day, granularity"""),
    Figure("Types of affective conversations, as shares of all and of these", ("shares",), f"""\
SELECT facet_value AS type, corrected_share, corrected_low, corrected_high,
  corrected_share_of_affective, corrected_share_of_affective_low, corrected_share_of_affective_high
FROM `{{dataset}}.shares`
WHERE breakdown = 'overall' AND facet = 'type'
{_LATEST_WEEK}
ORDER BY conversations DESC"""),
    Figure("Companionship and roleplay together", ("companionship_and_roleplay",), f"""\
SELECT raw_share_at_least, raw_share_at_most, corrected_low, corrected_high
FROM `{{dataset}}.companionship_and_roleplay`
WHERE breakdown = 'overall'
{_LATEST_WEEK}"""),
    Figure("Conversations of more than 50 human messages, by type", ("long_conversations",), f"""\
SELECT conversation_group, conversations, raw_share, corrected_share, corrected_low, corrected_high
FROM `{{dataset}}.long_conversations`
WHERE breakdown = 'overall'
{_LATEST_WEEK}"""),
    Figure("What long conversations are for", ("long_conversation_types",), f"""\
SELECT conversation_group, conversations, raw_share, corrected_share, corrected_low, corrected_high
FROM `{{dataset}}.long_conversation_types`
WHERE breakdown = 'overall'
{_LATEST_WEEK}"""),
    Figure("Length of conversations", ("length_histogram",), f"""\
SELECT human_messages, conversations, raw_share
FROM `{{dataset}}.length_histogram`
WHERE breakdown = 'overall'
{_LATEST_WEEK}
ORDER BY at_least"""),
    Figure("Change of expressed sentiment from start to end, by type", ("sentiment_change",), f"""\
SELECT conversation_group, mean_change, change_low, change_high, conversations
FROM `{{dataset}}.sentiment_change`
WHERE breakdown = 'overall'
{_LATEST_WEEK}"""),
    Figure("How often the assistant pushes back, by type", ("pushback",), f"""\
SELECT type, corrected_share, corrected_low, corrected_high, raw_share
FROM `{{dataset}}.pushback`
WHERE breakdown = 'overall' AND type IS NOT NULL
{_LATEST_WEEK}"""),
    Figure("Why it pushes back", ("pushback",), f"""\
SELECT reason, corrected_share, corrected_low, corrected_high, raw_share
FROM `{{dataset}}.pushback`
WHERE breakdown = 'overall' AND reason IS NOT NULL
{_LATEST_WEEK}"""),
    Figure("Coaching or counseling that turns into companionship", ("drift_headline",), """\
SELECT last_day, scope, conversations, withheld, raw_share, share_high
FROM `{dataset}.drift_headline`
WHERE breakdown = 'overall' AND granularity = 'trailing_28_days'
ORDER BY last_day, scope"""),
    Figure("Drift from opening to closing type, as a matrix", ("drift",), """\
SELECT opening_type, closing_type, conversations, raw_share, withheld
FROM `{dataset}.drift`
WHERE breakdown = 'overall' AND granularity = 'period' AND scope = 'all'"""),
)  # fmt: skip
"""The figures of the study that Undertone counts."""

_NOT_COUNTED: Final = """\
Not counted, so in no view: the topics within a type; the reasons for pushback by type (they are
counted over all conversations); the sentiment at the start and at the end (only its change is).
The study published its figures by type only as pictures, so none of its numbers are here.
"""


@cache
def view_columns(view: str) -> tuple[Column, ...]:
    """Returns the columns of a view, with BigQuery's types and descriptions.

    The descriptions also suit a view that is created in BigQuery with a schema.
    """
    with duckdb.connect() as connection:
        create_empty(connection)
        rows = connection.execute(f'DESCRIBE "{view}"').fetchall()
    return tuple(
        Column(name, _BIGQUERY_TYPES[type_], column_description(view, name), required=False)
        for name, type_, *_ in rows
    )


def catalogue() -> str:
    """Returns the catalogue as Markdown."""
    return "\n".join([
        "# Tables and views",
        "",
        "Generated from `schemas/` by `make generate`. They are the same in BigQuery and in a "
        "run's `undertone.duckdb`.",
        "Tables are append-only versions: read them through the views. In the examples `undertone` "
        "is the dataset.",
        "",
        "## The study's figures",
        "",
        *_rows(("figure", "view"), ((f.name, _links(f.views)) for f in FIGURES)),
        "",
        _NOT_COUNTED,
        *(line for figure in FIGURES for line in _example(figure)),
        "## Facets",
        "",
        *_rows(
            ("facet", "meaning", "values", "share of", "correction"),
            (
                (f"`{f.name}`", f.definition, _values(f.values), f.share_of, f.correction)
                for f in FACETS
            ),
        ),
        "",
        "## Tables",
        "",
        *(line for t in TABLES for line in _section(t.name, t.description, t.columns)),
        "## Breakdowns",
        "",
        *_rows(("breakdown", "meaning", "values"), map(_breakdown, BREAKDOWNS)),
        "",
        "## Views",
        "",
        *(line for v in VIEWS for line in _section(v, _without_source(v), view_columns(v))),
    ]).rstrip() + "\n"  # fmt: skip


def _values(values: Sequence[str]) -> str:
    shown = ", ".join(f"`{value}`" for value in values[:_SHOWN_VALUES])
    return shown if len(values) <= _SHOWN_VALUES else f"{shown}, … ({len(values)} in all)"


def _without_source(view: str) -> str:
    return _SOURCE.sub("", view_description(view))


def _breakdown(breakdown: Breakdown) -> tuple[str, str, str]:
    values = f"{breakdown.kind.value}; unknown; other" if breakdown.kind else "no event states it"
    return f"`{breakdown.name}`", breakdown.meaning, values


def _links(views: Iterable[str]) -> str:
    return ", ".join(f"[`{view}`](#{view})" for view in views)


def _example(figure: Figure) -> list[str]:
    query = figure.query.replace("{dataset}", "undertone")
    return [f"**{figure.name}**", "", "```sql", query, "```", ""]


def _section(name: str, description: str, columns: Iterable[Column]) -> list[str]:
    rows = ((f"`{c.name}`", c.type, c.description) for c in columns)
    return [f"### {name}", "", description, "", *_rows(("column", "type", "meaning"), rows), ""]


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return [f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines]


def main() -> None:
    """Writes the catalogue."""
    CATALOGUE.write_text(catalogue(), "utf-8")


if __name__ == "__main__":
    main()
