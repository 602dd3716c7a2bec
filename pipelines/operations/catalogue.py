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
from schemas.published import PUBLISHED_TABLES
from schemas.table import Column, Table
from schemas.tables import RESTRICTED_TABLES, TABLES
from schemas.views import PUBLISHED_VIEWS, RESTRICTED_VIEWS, VIEWS, view_description
from schemas.views.columns import column_description
from transforms.facets.facet import Facet, ShareOf
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
_LATEST: Final = """\
  AND window_kind = 'day'
  AND window_start = (
    SELECT MAX(window_start) FROM `{dataset}.publications_current` WHERE window_kind = 'day'
  )"""


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
SELECT share, low, high, method, raw_share, whole_conversations
FROM `{{dataset}}.shares`
WHERE breakdown = 'overall' AND facet = 'use' AND facet_value = 'affective'
{_LATEST}"""),
    Figure("The same for each day, ISO week and month", ("shares",), """\
SELECT window_kind, window_start, share, low, high, method, raw_share
FROM `{dataset}.shares`
WHERE breakdown = 'overall' AND facet = 'use' AND facet_value = 'affective'
  AND window_kind IN ('day', 'week', 'month')
ORDER BY window_kind, window_start"""),
    Figure("Types of affective conversations, as shares of all and of these", ("shares",), f"""\
SELECT facet_value AS type, share_of, share, low, high, method, raw_share
FROM `{{dataset}}.shares`
WHERE breakdown = 'overall' AND facet = 'type'
{_LATEST}
ORDER BY share_of, conversations DESC"""),
    Figure("Companionship and roleplay together", ("companionship_and_roleplay",), f"""\
SELECT share, low, high, method, raw_share
FROM `{{dataset}}.companionship_and_roleplay`
WHERE breakdown = 'overall'
{_LATEST}"""),
    Figure("Conversations of more than 50 human messages, by type", ("long_conversations",), f"""\
SELECT conversation_group, conversations, share, low, high, method
FROM `{{dataset}}.long_conversations`
WHERE breakdown = 'overall'
{_LATEST}"""),
    Figure("What long conversations are for", ("long_conversation_types",), f"""\
SELECT conversation_group, conversations, share, low, high, method
FROM `{{dataset}}.long_conversation_types`
WHERE breakdown = 'overall'
{_LATEST}"""),
    Figure("Length of conversations", ("length_histogram",), f"""\
SELECT human_messages, conversations, share
FROM `{{dataset}}.length_histogram`
WHERE breakdown = 'overall'
{_LATEST}
ORDER BY at_least"""),
    Figure("Change of expressed sentiment from start to end, by type", ("sentiment_change",), f"""\
SELECT conversation_group, mean_change, low, high, conversations
FROM `{{dataset}}.sentiment_change`
WHERE breakdown = 'overall'
{_LATEST}"""),
    Figure("How often the assistant pushes back, by type", ("pushback",), f"""\
SELECT type, share, low, high, method, raw_share
FROM `{{dataset}}.pushback`
WHERE breakdown = 'overall' AND type IS NOT NULL
{_LATEST}"""),
    Figure("Why it pushes back", ("pushback",), f"""\
SELECT reason, share, low, high, method, raw_share
FROM `{{dataset}}.pushback`
WHERE breakdown = 'overall' AND reason IS NOT NULL
{_LATEST}"""),
    Figure("Coaching or counseling that turns into companionship", ("drift_headline",), f"""\
SELECT scope, conversations, whole_conversations, share, low, high
FROM `{{dataset}}.drift_headline`
WHERE breakdown = 'overall'
{_LATEST}"""),
    Figure("Drift from opening to closing type", ("drift",), f"""\
SELECT opening_type, closing_type, conversations, share, low, high
FROM `{{dataset}}.drift`
WHERE breakdown = 'overall' AND scope = 'all'
{_LATEST}"""),
    Figure("How the numbers were protected", ("receipts",), """\
SELECT publication, min_users, min_conversations, noise_variance, max_noise, classifier_version
FROM `{dataset}.receipts`
ORDER BY window_start, window_kind"""),
)  # fmt: skip
"""The figures of the study that Undertone counts, and the receipts."""

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
        create_empty(connection, TABLES, VIEWS)
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
        "Generated from `schemas/` by `make generate`. They are the same in BigQuery and in the "
        "databases of a run.",
        "Tables are append-only: read them through the views. In the examples `undertone` is the "
        "dataset.",
        "",
        "There are two datasets. The published one, `undertone`, is for analysts; in a run it is "
        "`undertone.duckdb`. The restricted one, `undertone_counts`, has exact numbers; in a run "
        "it is `restricted/undertone.duckdb`.",
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
                (f"`{f.name}`", f.definition, _values(f.values), _share_of(f), f.correction)
                for f in FACETS
            ),
        ),
        "",
        "## Breakdowns",
        "",
        *_rows(("breakdown", "meaning", "values"), map(_breakdown, BREAKDOWNS)),
        "",
        "## Published tables",
        "",
        *_tables(PUBLISHED_TABLES),
        "## Published views",
        "",
        *_views(PUBLISHED_VIEWS),
        "## Restricted tables",
        "",
        *_tables(RESTRICTED_TABLES),
        "## Restricted views",
        "",
        *_views(RESTRICTED_VIEWS),
    ]).rstrip() + "\n"  # fmt: skip


def _tables(tables: Iterable[Table]) -> list[str]:
    return [line for t in tables for line in _section(t.name, t.description, t.columns)]


def _views(views: Iterable[str]) -> list[str]:
    return [line for v in views for line in _section(v, _without_source(v), view_columns(v))]


def _share_of(facet: Facet) -> str:
    second = facet.also_share_of
    return facet.share_of if second is ShareOf.NONE else f"{facet.share_of}, {second}"


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
