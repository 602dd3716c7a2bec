"""A running job can be updated only to a graph like its own, so a change of it must be meant."""

from __future__ import annotations

import json

import apache_beam as beam
import pytest

from tests.golden.graphs import ADVICE, FOLDER, GRAPHS, Graph, describe, difference, text_of


@pytest.mark.parametrize("name", GRAPHS)
def test_the_graph_is_the_golden_one(name: str) -> None:
    """Labels, coders, windowing, states and timers of every step are those written down."""
    golden = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    problem = difference(golden, GRAPHS[name]())
    assert problem is None, problem


def small(label: str = "Double", type_: type = int) -> Graph:
    """Returns the graph of a pipeline of two steps."""
    pipeline = beam.Pipeline()
    numbers = pipeline | "Numbers" >> beam.Create([1], reshuffle=False)
    _ = numbers | label >> beam.Map(abs).with_output_types(type_)
    return describe(pipeline)


def test_a_renamed_step_is_named() -> None:
    """The old label and the new one, and what to do if it was meant."""
    assert difference(small(), small()) is None
    assert difference(small(), small("Twice")) == (
        f"the graph changed: Double is gone; Twice is new; {ADVICE}"
    )


def test_a_changed_coder_is_named() -> None:
    """The step, what its output was and what it is."""
    assert difference(small(), small(type_=str)) == (
        "the graph changed: Double had {'None': 'VarInt in GlobalWindows'}, "
        f"now {{'None': 'StrUtf8 in GlobalWindows'}}; {ADVICE}"
    )


def test_of_many_changes_the_first_few_are_named() -> None:
    """However much has changed, it is one sentence."""
    problem = str(difference(small(), {}, most=2))
    assert problem.startswith("the graph changed: Double is gone; Numbers is gone; and ")
    assert "\n" not in problem


@pytest.mark.parametrize("name", GRAPHS)
def test_the_golden_graph_is_written_as_it_is_read(name: str) -> None:
    """Writing what was read gives the file again, so that a diff shows only what changed."""
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert text_of(json.loads(written)) == written
