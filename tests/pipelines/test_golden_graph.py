"""Tests that the graph changes only on purpose, because an update needs a compatible graph."""

from __future__ import annotations

import json

import apache_beam as beam
import pytest

from tests.golden.graphs import ADVICE, FOLDER, GRAPHS, Graph, describe, difference, text_of


@pytest.mark.parametrize("name", GRAPHS)
def test_the_graph_is_the_golden_one(name: str) -> None:
    """Every step has the labels, coders, windowing, states and timers in the golden file."""
    golden = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    problem = difference(golden, GRAPHS[name]())
    assert problem is None, problem


def small(label: str = "Double", type_: type = int) -> Graph:
    """Returns the graph of a small pipeline with two steps."""
    pipeline = beam.Pipeline()
    numbers = pipeline | "Numbers" >> beam.Create([1], reshuffle=False)
    _ = numbers | label >> beam.Map(abs).with_output_types(type_)
    return describe(pipeline)


def test_a_renamed_step_is_named() -> None:
    """The error for a renamed step gives the old label and the new label.

    It also gives the remedy if the change was meant.
    """
    assert difference(small(), small()) is None
    assert difference(small(), small("Twice")) == (
        f"the graph changed: Double is gone; Twice is new; {ADVICE}"
    )


def test_a_changed_coder_is_named() -> None:
    """The error for a changed coder names the step, its old output and its new output."""
    assert difference(small(), small(type_=str)) == (
        "the graph changed: Double had {'None': 'VarInt in GlobalWindows'}, "
        f"now {{'None': 'StrUtf8 in GlobalWindows'}}; {ADVICE}"
    )


def test_only_the_first_few_changes_are_named() -> None:
    """However many changes there are, the error is one sentence that names the first few."""
    problem = str(difference(small(), {}, most=2))
    assert problem.startswith("the graph changed: Double is gone; Numbers is gone; and ")
    assert "\n" not in problem


@pytest.mark.parametrize("name", GRAPHS)
def test_writing_a_golden_graph_gives_its_file(name: str) -> None:
    """A golden file is rewritten without changes, so that a diff shows only real changes."""
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert text_of(json.loads(written)) == written
