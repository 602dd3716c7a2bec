"""Tests that a new version takes over a running job, or says in advance what would be lost."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
import pytest
from apache_beam.coders import BytesCoder, Coder, VarIntCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.transforms.window import FixedWindows, Sessions, WindowFn

from tests.golden.graphs import FOLDER, GRAPHS, Graph, describe
from tests.golden.update_rules import (
    STREAM,
    freeze,
    last_release,
    read_mapping,
    refusal,
    version_of,
)


class Shape(NamedTuple):
    """The parts of a small job that may change from one release to the next."""

    remember: str = "Remember"
    state: str = "seen"
    coder: Coder = VarIntCoder()
    domain: str = TimeDomain.WATERMARK
    window: WindowFn = FixedWindows(60)
    value: type[int] | type[float] = int
    keeps: bool = True
    looks_aside: bool = False
    tidies: bool = False


def job(**changes: Any) -> Graph:
    """Returns the graph of a small job with a grouping, a sum, a state and a timer."""
    shape = Shape(**changes)
    pipeline = beam.Pipeline()
    one = pipeline | "One" >> beam.Create([1], reshuffle=False)
    kind = beam.typehints.Tuple[int, shape.value]
    pairs = one | "Pair" >> beam.Map(divmod, 2).with_output_types(kind)
    timed = pairs | "Window" >> beam.WindowInto(shape.window)
    if shape.keeps:
        _ = timed | "Group" >> beam.GroupByKey()
    _ = timed | "Sum" >> beam.CombinePerKey(sum)
    _ = timed | shape.remember >> beam.ParDo(remembering(shape))
    sides = [beam.pvalue.AsList(one)] if shape.looks_aside else []
    _ = timed | "Look" >> beam.Map(print, *sides)
    if shape.tidies:
        _ = timed | "Tidy" >> beam.Map(print)
    return describe(pipeline)


def remembering(shape: Shape) -> beam.DoFn:
    """Returns a stateful DoFn with the state and timer that a shape describes."""

    class RememberFn(beam.DoFn):
        SEEN = ReadModifyWriteStateSpec(shape.state, shape.coder)
        AGAIN = TimerSpec("again", shape.domain)

        def process(
            self,
            pair: tuple[int, int],
            seen: Any = beam.DoFn.StateParam(SEEN),
            again: Any = beam.DoFn.TimerParam(AGAIN),
        ) -> None:
            pass

        @on_timer(AGAIN)
        def fire(self) -> None:
            pass

    return RememberFn()


def test_the_stream_takes_over_a_job_of_the_last_release() -> None:
    """An update loses no data that the last release keeps in a running job."""
    release = last_release()
    if release is None:
        pytest.skip("no release is frozen yet; python -m tests.golden.write_graph --release")
    frozen = json.loads((release / STREAM).read_text(encoding="utf-8"))
    problem = refusal(frozen, GRAPHS[STREAM](), read_mapping())
    assert problem is None, problem


def test_the_golden_stream_takes_over_itself() -> None:
    """An update to an unchanged graph loses nothing; an update to an empty one loses all states."""
    golden = json.loads((FOLDER / STREAM).read_text(encoding="utf-8"))
    assert refusal(golden, golden, {}) is None
    problem = str(refusal(golden, {}, {}, most=1000))
    keepers = (
        "SignChanges/ParDo(_EmitChangesFn)",
        "CountUserOnce/ParDo(_CountUsersFn)",
        "AddUp",
        "StampChanges/ParDo(_RegisterFn)",
        "KeepTotals/AddToTotals/ParDo(_AddFn)",
    )
    for label in keepers:
        assert f"{label} is gone, and with it its waiting input and its state" in problem
    assert "Read/ReadSubscription/Read is gone, and with it its place in the source" in problem


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"remember": "Recall"},
         "Remember is gone, and with it its waiting input and its state and its timers"),
        ({"coder": BytesCoder()},
         "Remember had 'seen' among its states: read_modify_write_spec of VarInt, "
         "now read_modify_write_spec of Bytes"),
        ({"state": "known"},
         "Remember had 'seen' among its states: read_modify_write_spec of VarInt, now None"),
        ({"domain": TimeDomain.REAL_TIME},
         "Remember had 'ts-again' among its timers: EVENT_TIME, now PROCESSING_TIME"),
        ({"keeps": False}, "Group is gone, and with it its waiting input"),
        ({"window": Sessions(60)},
         "Group had input Tuple[VarInt, VarInt] in FixedWindows, "
         "now Tuple[VarInt, VarInt] in Sessions"),
        ({"value": float},
         "Group had input Tuple[VarInt, VarInt] in FixedWindows, "
         "now Tuple[VarInt, Float] in FixedWindows"),
        ({"looks_aside": True}, "Look had side inputs None, now {'python_side_input0': "),
    ],
)  # fmt: skip
def test_what_would_be_lost_is_named(changes: dict[str, Any], words: str) -> None:
    """A changed name, state, coder, timer, window or side input is named in one sentence."""
    problem = refusal(job(), job(**changes), {})
    assert problem is not None
    assert words in problem
    assert "\n" not in problem


@pytest.mark.parametrize("changes", [{}, {"tidies": True}])
def test_a_step_without_state_may_come_and_go(changes: dict[str, Any]) -> None:
    """A step without state may be added, removed or renamed."""
    assert refusal(job(), job(**changes), {}) is None
    assert refusal(job(**changes), job(), {}) is None


def test_a_new_state_may_be_added() -> None:
    """If a state is added to a step, its existing states are kept."""
    graph: Any = copy.deepcopy(job())
    graph["Remember"]["states"]["more"] = "bag_state_spec of Bytes"
    assert refusal(job(), graph, {}) is None


def test_a_changed_accumulator_is_named() -> None:
    """The sums of a combine must be read in the format in which they were written."""
    graph: Any = copy.deepcopy(job())
    graph["Sum"]["accumulator"] = "Bytes"
    assert "Sum had accumulator" in str(refusal(job(), graph, {}))


def test_a_mapped_step_takes_over_its_state() -> None:
    """A rename with a mapping loses nothing, unless the step has changed in other ways too."""
    mapping = {"Remember": "Recall"}
    assert refusal(job(), job(remember="Recall"), mapping) is None
    problem = refusal(job(), job(remember="Recall", coder=BytesCoder()), mapping)
    assert "Remember had 'seen' among its states" in str(problem)


def test_a_mapping_to_nothing_loses_the_state() -> None:
    """Dataflow accepts a mapping to an empty name, but the step's state is lost."""
    problem = str(refusal(job(), job(remember="Recall"), {"Remember": ""}))
    assert "Remember is gone, and with it" in problem


def test_a_mapping_of_unknown_steps_is_named() -> None:
    """A mapping that names steps from an old release is refused, as Dataflow would refuse it."""
    assert refusal(job(), job(), {"Older": "Window", "Window": "Newer"}) == (
        "a running job can't be updated: the mapping renames Older, which is not in the release; "
        "the mapping renames Window to Newer, which is not in the new graph; "
        "see 'Changing the graph' in deploy/runbook.md"
    )


def test_only_the_first_few_losses_are_named() -> None:
    """However many losses there are, the error is one sentence that names the first few."""
    problem = str(refusal(job(), {}, {}, most=1))
    assert problem.count(" is gone") == 1
    assert "; and " in problem


def test_releases_are_ordered_by_number(tmp_path: Path) -> None:
    """0.10.0 is later than 0.9.0; without any release, the last release is None."""
    assert last_release(tmp_path) is None
    for version in ("0.10.0", "0.9.0"):
        freeze(job(), version, tmp_path)
    assert last_release(tmp_path) == tmp_path / "0.10.0"


def test_a_release_is_not_frozen_with_another_graph(tmp_path: Path) -> None:
    """The same graph may be frozen again, but a different one needs a new version."""
    file = freeze(job(), "0.1.0", tmp_path)
    assert freeze(job(), "0.1.0", tmp_path) == file
    with pytest.raises(SystemExit, match="raise the version"):
        freeze(job(tidies=True), "0.1.0", tmp_path)
    assert json.loads(file.read_text("utf-8")) == job()


def test_a_release_has_the_version_of_the_package(tmp_path: Path) -> None:
    """The version is from `setup.py`, which the job, its templates and its image share."""
    setup = tmp_path / "setup.py"
    setup.write_text('setup(\n    name="undertone",\n    version="1.20.3",\n)\n', "utf-8")
    assert version_of(setup) == "1.20.3"
    assert version_of().count(".") == 2


def test_the_mapping_maps_labels_to_labels() -> None:
    """The mapping is in Beam's format, so that the runbook can pass it to an update."""
    for old, new in read_mapping().items():
        assert old
        assert isinstance(new, str)
