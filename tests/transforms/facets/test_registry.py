"""Tests the registry, which finds the facets in the folder, orders them and gives the slices."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

import transforms.facets as folder
from schemas.breakdowns import BREAKDOWNS
from tests.builders import summary
from tests.golden.ids import BREAKDOWN_IDS, FACET_IDS
from transforms.conversation.summary import LONG_OVER
from transforms.facets import uses
from transforms.facets.facet import traits_of
from transforms.facets.registry import (
    BY_NAME,
    FACETS,
    SLICE_KEYS,
    SLICES,
    index_of_key,
    ordered,
    slices_of,
)

OF_LONG = {"drift_long", "opening_long"}
"""Partitions of the long conversations; others are partitions of all."""


def test_ids_never_change() -> None:
    """Each facet keeps the id by which stored state names it."""
    assert FACET_IDS.items() <= {facet.name: facet.id for facet in FACETS}.items()
    assert BREAKDOWN_IDS.items() <= {b.name: b.id for b in BREAKDOWNS}.items()


def test_every_module_of_the_folder_is_a_facet() -> None:
    """Every module of the folder declares facets, except `facet` and `registry`."""
    files = {path.stem for path in Path(folder.__path__[0]).glob("*.py")}
    modules = files - {"__init__", "facet", "registry"}
    declared = [vars(import_module(f"{folder.__name__}.{name}")) for name in modules]
    facets = [facet for names in declared for facet in names.get("FACETS") or (names["FACET"],)]
    assert ordered(facets) == FACETS


def test_two_facets_with_one_id_are_refused() -> None:
    """A new facet cannot have the id or the name of an existing one."""
    with pytest.raises(ValueError, match="facets use and mood have the same id 3"):
        ordered([uses.FACET, replace(uses.FACET, name="mood")])
    with pytest.raises(ValueError, match="two facets have the same name"):
        ordered([uses.FACET, replace(uses.FACET, id=99)])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id": 0}, "id must be 1"),
        ({"values": ("a", "a")}, "needs at least one value and no duplicates"),
        ({"rated_values": ("nonsense",)}, "rated_values must be among"),
    ],
)
def test_a_wrong_declaration_is_refused(changed: dict[str, object], message: str) -> None:
    """A wrong declaration fails at import, and the error says what is wrong."""
    with pytest.raises(ValueError, match=message):
        replace(uses.FACET, **changed)  # type: ignore[arg-type]


def test_a_conversation_has_only_declared_values() -> None:
    """Each facet gives only values that it declares; a partition facet gives exactly one."""
    for found in (summary(), summary(types=["coaching"], human_messages=60, reasons=1)):
        is_long = found.human_messages > LONG_OVER
        for facet in FACETS:
            members = list(facet.members(traits_of(found)))
            assert set(members) <= set(facet.values)
            if facet.is_partition:
                assert len(members) == (is_long or facet.name not in OF_LONG)


def test_a_facet_is_left_out_of_breakdowns_that_show_it() -> None:
    """A long conversation is in fewer slices of `length` and `overall` than of `country`."""
    by_name = dict(
        zip([b.name for b in BREAKDOWNS], slices_of(traits_of(summary(human_messages=60))),
            strict=True)
    )  # fmt: skip
    facets = {name: {SLICES[i].facet for i in slices} for name, slices in by_name.items()}
    assert facets["country"] - facets["overall"] == {"length"}
    assert facets["country"] - facets["length"] == {
        "length", "long", "drift_long", "opening_long",
    }  # fmt: skip
    assert BY_NAME["length"].left_out_of == {"overall", "length"}


def test_a_stored_slice_is_found_by_id_and_value() -> None:
    """A stored slice is found by id and value; an unknown facet or value is refused."""
    assert [index_of_key(*key) for key in SLICE_KEYS] == list(range(len(SLICES)))
    for key in ((99, "all"), (2, "friendship")):
        with pytest.raises(ValueError, match="which this version does not have"):
            index_of_key(*key)
