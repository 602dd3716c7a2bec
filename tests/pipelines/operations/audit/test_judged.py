"""Tests that the audit finds what is wrong with judged figures, and nothing in sound ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from pipelines.operations.audit.evidence import Evidence, Version
from pipelines.operations.audit.judged import changes, exactness, words
from pipelines.operations.audit.words import ATTACK, find_words
from pipelines.publishing.windows import Batch
from schemas.judged import judge_name
from schemas.published import JUDGED
from tests.judged import MONDAY, judgements, labelled, sampled
from tests.judged_publications import JudgedDay
from tests.published_timelines import version_of
from transforms.estimation.figures import figures_of
from transforms.estimation.judged_figures import Noise, sample_for
from transforms.publishing.rows import standing_of

CANARY = "I feel so alone"
HASH = "0" * 32


@cache
def day() -> JudgedDay:
    """Returns a small day, of which every conversation is judged."""
    return JudgedDay(3, conversations=400)


@cache
def batch() -> Batch:
    """Returns its publication."""
    return day().publish(400)


def version(made: Batch, attempt: int = 1, **other: Any) -> Version:
    """Returns a publication as the audit reads it."""
    standing = standing_of(made.publications, made.bases)
    assert standing.last is not None
    figures = tuple(msgspec.structs.asdict(row) for row in made.figures)
    provenance = standing.last.provenance
    found = replace(
        version_of(standing.last, attempt), figures=figures, judge=provenance.judge,
        judgements=provenance.judgements,
    )  # fmt: skip
    return replace(found, **other)


def evidence(*versions: Version) -> Evidence:
    """Returns evidence of these versions and the judged conversations."""
    return Evidence(versions, None, tuple(day().judged(400)))


def changed(made: Version, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Version:
    """Returns a version with other judged figures."""
    return replace(made, figures=tuple(
        {**row, **change(dict(row))} if row["method"] == JUDGED else row for row in made.figures
    ))  # fmt: skip


def without_noise(made: Version) -> Version:
    """Returns a version whose judged figures have no noise."""
    policy = made.policy
    standing = standing_of(batch().publications, batch().bases)
    assert standing.last is not None
    sample = sample_for(MONDAY, day().judged(400))
    exact = figures_of(standing.last.cells, Noise(policy.variance, 0), None, sample)
    corrected = {figure[:7]: figure.corrected for figure in exact}
    names = ("breakdown", "breakdown_value", "measure", "facet", "facet_value", "whole_facet",
             "whole_value")  # fmt: skip
    return changed(
        made,
        lambda row: {"corrected": corrected.get(tuple(row[n] for n in names), row["corrected"])},
    )


def test_a_sound_judged_day_passes() -> None:
    """Where everybody is judged, judged numbers are exact as seldom as the noise says."""
    sound = evidence(version(batch()))
    found = exactness.judged_exactness(sound)
    assert found.figures.numbers > 50
    assert found.census.numbers > 20
    assert not [*exactness.find_exact_judgements(sound)]
    assert not [*exactness.find_withheld_judgements(sound)]
    assert not [*changes.find_exact_receipts(sound)]


def test_judged_figures_without_noise_are_found() -> None:
    """A judged share that equals the true one gives the number of people with a label away."""
    findings = [*exactness.find_exact_judgements(evidence(without_noise(version(batch()))))]
    assert {finding.attack for finding in findings} == {exactness.ATTACK}
    assert any("where everybody is judged" in finding.sentence for finding in findings)


def test_a_judged_figure_of_a_withheld_cell_is_found() -> None:
    """A figure whose cell is not among the aggregates must not exist."""
    made = version(batch())
    place = next(p for p in made.numbers if p.value == "web")
    numbers = {p: cells for p, cells in made.numbers.items() if p != place}
    (finding,) = exactness.find_withheld_judgements(evidence(replace(made, numbers=numbers)))
    assert finding.attack == exactness.WITHHELD


def test_versions_that_differ_by_few_judgements_are_found() -> None:
    """If only the judgements differ, there are at least fifteen more, or the judge is another."""
    first = version(batch())
    moved = changed(first, lambda row: {"corrected": row["corrected"] + 0.01})
    later = replace(moved, number=2, attempt=2)
    (finding,) = changes.find_judged_changes(evidence(first, later))
    assert "by fewer than 15 judgements" in finding.sentence
    more = replace(later, judgements=first.judgements + 15)
    assert not [*changes.find_judged_changes(evidence(first, more))]
    other = replace(later, judge="llm 1")
    assert not [*changes.find_judged_changes(evidence(first, other))]


def test_the_publisher_never_makes_such_versions() -> None:
    """A correction of the counts with a few more judgements passes."""
    bit = JudgedDay()
    first = bit.publish(200)
    second = bit.publish(203, [first], is_complete=True)
    versions = version(first), version(second, 2, number=2)
    assert not [*changes.find_judged_changes(evidence(*versions))]


def test_an_exact_number_of_judgements_is_found() -> None:
    """A receipt rounds the number of judgements down to a multiple of min_users."""
    (finding,) = changes.find_exact_receipts(evidence(version(batch(), judgements=398)))
    assert "not rounded" in finding.sentence


def test_text_in_the_name_of_a_judge_is_found_and_not_published() -> None:
    """A version that may be text is not part of the published name."""
    for judge in (f"labels {CANARY}", f"labels {HASH}", "Ada 1"):
        (finding,) = find_words({"publications": [{"judge": judge}]})
        assert "publications.judge" in finding.sentence
        assert CANARY not in finding.sentence
    for judge in (
        "",
        "labels 1f2e3d4c",
        "llm org/model-7b:q4-1f2e3d4c",
        judge_name("labels", CANARY),
    ):
        assert not [*find_words({"publications": [{"judge": judge}]})]
    assert judge_name("labels", CANARY) == "labels other"


def rows() -> dict[str, Sequence[dict[str, Any]]]:
    """Returns sound rows of the sample and its judgements."""
    made = labelled(np.random.default_rng(1), 30, share=0.5)
    sample = sampled(made, 30)
    said = judgements(made, sample)
    return {
        "sample": [msgspec.structs.asdict(row) | {"key_id": "0a1b2c3d"} for row in sample],
        "judgements": [msgspec.structs.asdict(row) for row in said],
    }


@pytest.mark.parametrize(
    ("table", "column"),
    [("sample", c) for c in ("conversation", "breakdowns", "types", "use", "text")]
    + [("judgements", c) for c in ("judge", "judge_version", "status", "types", "note")],
)
def test_text_in_sample_or_judgements_is_found(table: str, column: str) -> None:
    """Every text column holds only its words, and no new column holds any."""
    found = rows()
    assert not [*words.find_judged_words(found)]
    found[table][0][column] = CANARY
    (finding,) = words.find_judged_words(found)
    assert finding.attack == ATTACK
    assert f"column {table}.{column} has 1 texts" in finding.sentence
    assert CANARY not in finding.sentence


def test_text_in_the_journal_is_found(tmp_path: Path) -> None:
    """A line that is no judgement, also one that is cut off, must not lie beside the tables."""
    journal = tmp_path / "restricted" / "judgements.jsonl"
    journal.parent.mkdir()
    made = labelled(np.random.default_rng(1), 3)
    lines = [msgspec.json.encode(row) for row in judgements(made, sampled(made, 3))]
    journal.write_bytes(b"\n".join(lines) + b"\n")
    assert not [*words.find_judged_words({words.JOURNAL: words.journal_of(tmp_path)})]
    journal.write_bytes(b"\n".join([*lines, f'{{"text": "{CANARY}'.encode()]))
    (finding,) = words.find_judged_words({words.JOURNAL: words.journal_of(tmp_path)})
    assert "column judgements (journal).line has 1 texts" in finding.sentence


def test_text_among_candidates_is_found() -> None:
    """Candidates are hashes, numbers and values of breakdowns."""
    assert [*words.find_judged_words({"candidates": [{"candidates": CANARY}]})]
    assert not [*words.find_judged_words({"candidates": [{"candidates": "[1,[1,2,3,4,5],[]]"}]})]
