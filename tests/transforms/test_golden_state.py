"""Tests that a new version of the code reads old bytes and writes the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.transforms.userstate import get_dofn_specs, is_stateful_dofn

from pipelines.graph import assemble
from pipelines.sources.pubsub import ReadPubSub
from schemas.breakdowns import ATTRIBUTES
from tests.golden.ids import BREAKDOWN_IDS, FACET_IDS
from tests.golden.states import FOLDER, GOLDEN, LAYOUTS, SELF_VERSIONED, STATES, Golden
from tests.golden.write_state import write
from tests.pipelines.running import EXACT
from transforms.coders import CODED, CanonicalCoder
from transforms.conversation.state import ConversationState
from transforms.counting.register import DayRegister
from transforms.counting.running import RunningPlace
from transforms.counting.totals import PlaceChange
from transforms.counting.windows import DAY, HOUR
from transforms.facets.registry import SLICES

by_name = pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.name)


@by_name
def test_values_have_the_golden_bytes(golden: Golden) -> None:
    """A value is encoded in the same bytes as before, unless its layout has a new version."""
    assert golden.coder.encode(golden.value) == (FOLDER / golden.file_name).read_bytes()


@by_name
def test_every_layout_ever_deployed_is_read(golden: Golden) -> None:
    """The bytes of every earlier layout decode to the value that was encoded."""
    files = sorted(FOLDER.glob(f"{golden.name}.v*.bin"))
    assert FOLDER / golden.file_name in files
    for file in files:
        assert golden.coder.decode(file.read_bytes()) == golden.value, file.name


@pytest.mark.parametrize(
    "golden", [g for g in GOLDEN if type(g.value) in SELF_VERSIONED], ids=lambda g: g.name
)
def test_an_unknown_version_is_refused(golden: Golden) -> None:
    """State that was written by a later version of the code is refused, not misread."""
    encoded = bytearray((FOLDER / golden.file_name).read_bytes())
    place = SELF_VERSIONED[type(golden.value)] + 1
    assert encoded[place] == LAYOUTS[type(golden.value)]
    encoded[place] = 99
    with pytest.raises(ValueError, match="version 99"):
        golden.coder.decode(bytes(encoded))


def test_every_coded_type_has_a_golden_file() -> None:
    """There is a golden file for each type that is shuffled or kept in state, and no other."""
    assert {type(golden.value) for golden in GOLDEN} == {*CODED, *STATES.values()} == {*LAYOUTS}
    named = {golden.name for golden in GOLDEN}
    assert len(named) == len(GOLDEN)
    assert {file.name.split(".")[0] for file in FOLDER.iterdir()} == named


@pytest.mark.parametrize("kind", [PlaceChange, RunningPlace])
def test_every_facet_is_in_golden_totals(kind: type[Any]) -> None:
    """Golden totals have a cell of each facet that stored state may name."""
    cells = [index for value in golden_of(kind) for index in value.cells]
    assert {SLICES[index].facet for index in cells} >= FACET_IDS.keys()


@pytest.mark.parametrize("kind", [HOUR, DAY])
def test_every_breakdown_is_in_a_golden_register(kind: str) -> None:
    """Golden registers have an hour and a day of each breakdown that stored state may name."""
    places = [place for register in golden_of(DayRegister) for place in register.places]
    breakdowns = {place[3] for place in places if place[0] == kind}
    assert breakdowns >= {*BREAKDOWN_IDS.values()}


def test_every_attribute_is_stated_in_golden_state() -> None:
    """Golden conversations state the user and each attribute that stored state may have."""
    stated = {
        position
        for state in golden_of(ConversationState)
        for position, statement in enumerate(state.stated)
        if statement is not None
    }
    released = ("user", *(BREAKDOWN_IDS.keys() & {*ATTRIBUTES}))
    assert stated >= {*range(len(released))}


def golden_of(kind: type[Any]) -> list[Any]:
    """Returns the golden values of one type."""
    return [golden.value for golden in GOLDEN if isinstance(golden.value, kind)]


def test_every_state_has_a_golden_file() -> None:
    """Every state of the unbounded graph is listed with its type."""
    held = state_specs()
    assert held.keys() == STATES.keys()
    for name, coder in held.items():
        if isinstance(coder, CanonicalCoder):
            assert coder.to_type_hint() is STATES[name]


def state_specs() -> dict[str, Any]:
    """Returns the coder of each state spec of the unbounded graph."""
    pipeline = beam.Pipeline()
    assemble(pipeline | "Read" >> ReadPubSub("projects/my-project/subscriptions/events"), EXACT)
    coders: dict[str, Any] = {}

    class Visitor(beam.pipeline.PipelineVisitor):
        def visit_transform(self, node: Any) -> None:
            fn = getattr(node.transform, "fn", None)
            if isinstance(fn, beam.DoFn) and is_stateful_dofn(fn):
                coders.update((spec.name, spec.coder) for spec in get_dofn_specs(fn)[0])

    pipeline.visit(Visitor())
    return coders


def test_golden_files_are_replaced_only_on_demand(tmp_path: Path) -> None:
    """Without `replace`, a file that differs is not overwritten, and the error names it."""
    write(tmp_path, replace=False)
    file = tmp_path / GOLDEN[0].file_name
    written = file.read_bytes()
    file.write_bytes(b"older")
    with pytest.raises(SystemExit, match=file.name):
        write(tmp_path, replace=False)
    assert file.read_bytes() == b"older"
    write(tmp_path, replace=True)
    assert file.read_bytes() == written
