"""Tests the cells of a place: their form in the table, and the sum of generations."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.counting.cells import Sums
from transforms.counting.places import (
    KEY_SPACE,
    add_cells,
    add_overlapping,
    cells_of_text,
    cells_text,
)
from transforms.facets.registry import INDEX, SLICES, Slice

NUMBERS = st.integers(0, 9)
CELLS = st.dictionaries(
    st.integers(0, len(SLICES) - 1), st.builds(Sums, *[NUMBERS] * 5), max_size=6
)


@given(CELLS)
def test_cells_are_read_as_they_were_written(cells: dict[int, Sums]) -> None:
    """Only cells of zeros are left out, and equal cells give equal text."""
    text = cells_text(cells)
    assert cells_of_text(text) == {i: s for i, s in cells.items() if any(s)}
    assert cells_text(dict(reversed(cells.items()))) == text


def test_the_text_names_facets_and_values() -> None:
    """An operator can read the text with the JSON functions of BigQuery."""
    cells = {INDEX[Slice("type", "coaching")]: Sums(3, 2, KEY_SPACE + 5, 0, 0)}
    assert msgspec.json.decode(cells_text(cells)) == {"type": {"coaching": [3, 2, 5, 0, 0]}}


@pytest.mark.parametrize(
    ("text", "name"),
    [('{"topic":{"x":[1,1,1,0,0]}}', "facet 'topic'"), ('{"use":{"x":[1,1,1,0,0]}}', "value 'x'")],
)
def test_unknown_names_are_refused(text: str, name: str) -> None:
    """Counts of another version are not misread."""
    with pytest.raises(ValueError, match=f"{name}, which this version does not have"):
        cells_of_text(text)


def test_users_of_several_generations_are_not_added_up() -> None:
    """The same users may be in each generation, so only their largest number is certain."""
    parts = [{0: Sums(20, 10, 7, 1, 1)}, {0: Sums(30, 12, 9, 2, 4), 1: Sums(1, 1, 1, 0, 0)}]
    assert add_overlapping(parts) == {0: Sums(50, 12, 16, 3, 5), 1: Sums(1, 1, 1, 0, 0)}


@given(CELLS, CELLS)
def test_addition_is_undone_by_subtraction(one: dict[int, Sums], two: dict[int, Sums]) -> None:
    """A change and its opposite leave the cells as they were, without cells of zeros."""
    negative = {i: Sums(*(-n for n in s)) for i, s in two.items()}
    cells = {i: s for i, s in one.items() if any(s)}
    assert add_cells(add_cells(dict(cells), two), negative) == cells
