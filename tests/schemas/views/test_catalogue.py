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
from tests.builders_report import MONDAY, database_of, every_measure


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
    assert "| `window_start` | TIMESTAMP |" in text


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_is_described_in_a_sentence(view: str) -> None:
    """Each column of each view has a description that is a sentence."""
    assert view_columns(view)
    for column in view_columns(view):
        assert column.description == column_description(view, column.name)
        assert column.description.endswith((".", "100"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a run with a figure of every measure."""
    return database_of(tmp_path_factory.mktemp("run"), *every_measure(MONDAY))


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_example_runs_and_reads_its_views(figure: Figure, run: Path) -> None:
    """Each figure's query reads the views that the figure names, and finds any rows there are."""
    assert query_run(run, figure.query)
    assert all(f"`{{dataset}}.{view}`" in figure.query for view in figure.views)
