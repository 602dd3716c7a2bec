"""Tests that the catalogue is up to date and complete, and that its examples run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.operations.catalogue import CATALOGUE, FIGURES, Figure, catalogue, view_columns
from pipelines.operations.facet_view import VIEW, facet_view
from pipelines.sinks.database import query_run
from schemas.tables import TABLES
from schemas.views import VIEWS
from schemas.views.columns import column_description
from tests.builders import HOUR_US, MONDAY_US
from tests.builders_report import database_of, row


def test_catalogue_is_up_to_date() -> None:
    """`docs/tables.md` equals the catalogue that `make generate` would write."""
    assert CATALOGUE.read_text("utf-8") == catalogue()


def test_the_view_of_facets_is_up_to_date() -> None:
    """`facets.sql` equals the view that `make generate` would write from the facets."""
    assert VIEW.read_text("utf-8") == facet_view()


def test_every_table_and_view_has_its_section() -> None:
    """Each table and view has a section with its columns."""
    text = catalogue()
    for name in (*(table.name for table in TABLES), *VIEWS):
        assert f"\n### {name}\n" in text
    assert "| `last_day` | DATE |" in text


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_is_described_in_a_sentence(view: str) -> None:
    """Each column of each view has a description that is a sentence."""
    assert view_columns(view)
    for column in view_columns(view):
        assert column.description == column_description(view, column.name)
        assert column.description.endswith((".", "100"))


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_example_runs_and_reads_its_views(figure: Figure, tmp_path: Path) -> None:
    """Each figure's query reads the views that the figure names, and finds any rows there are."""
    overall = [
        row(900), row(200, "use", "affective"), row(100, "type", "coaching"), row(60, "long"),
        row(30, "type", "companionship"), row(20, "long", "coaching"), row(40, "pushback"),
        row(15, "pushback_reason", "self_harm"), row(500, "drift", "coaching>companionship"),
        row(30, breakdown="length", breakdown_value="2"),
        row(50, "sentiment", sentiment_change_300ths=3000, sentiment_change_squares=225_000),
    ]  # fmt: skip
    folder = database_of(tmp_path, *overall, row(80, window_start_us=MONDAY_US - 7 * 24 * HOUR_US))
    assert query_run(folder, figure.query)
    assert all(f"`{{dataset}}.{view}`" in figure.query for view in figure.views)
