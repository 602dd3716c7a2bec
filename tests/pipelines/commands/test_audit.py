"""Tests of `undertone audit`."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.commands.main import main
from pipelines.sinks.database import build_databases
from schemas.counts import BASES, COUNTS
from schemas.published import AGGREGATES, PUBLICATIONS
from schemas.tables import BATCH, LEDGER, METRICS_VERSION
from tests.published_timelines import Timeline, timeline
from tests.run_folders import aggregate_row, published, write_table
from transforms.counting.register import Stamp
from transforms.counting.rows import Provenance, counts_row
from transforms.counting.totals import place_key
from transforms.publishing.rows import rows_of


def test_a_sound_folder_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints its figures and exits with 0."""
    assert main(["audit", str(published(tmp_path, aggregate_row(40)))]) == 0
    assert "no attack found anything" in capsys.readouterr().out


def test_the_truth_is_read_from_the_restricted_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the exact counts can be read, guesses at small cells are scored."""
    folder = _written(tmp_path, timeline(seed=6, corrections=1))
    assert main(["audit", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "expected from the noise" in out
    assert "least squares over all relations" in out
    assert main(["audit", str(folder), "--without_truth"]) == 0
    assert "the truth is not known here" in capsys.readouterr().out


def _written(folder: Path, simulated: Timeline) -> Path:
    """Writes a timeline as the folder of a run."""
    publications = [rows_of(v, attempt, []) for attempt, v in enumerate(simulated.versions)]
    write_table(folder, PUBLICATIONS, [rows.receipt for rows in publications])
    write_table(folder, AGGREGATES, [row for rows in publications for row in rows.aggregates])
    write_table(folder, BASES, [row for rows in publications for row in rows.bases])
    origin = Provenance(BATCH, METRICS_VERSION, "test-1")
    counts = [
        counts_row(place_key(window, place), cells, Stamp(1, 1), 1, origin, "0a1b2c3d")
        for window, places in simulated.counts.items()
        for place, cells in places.items()
    ]
    write_table(folder, COUNTS, counts)
    build_databases(folder)
    return folder


def test_a_leak_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command names each finding in a sentence and exits with 4."""
    assert main(["audit", str(published(tmp_path, aggregate_row(3)))]) == 4
    captured = capsys.readouterr()
    assert "fewer than 15 users or 15 conversations" in captured.out
    assert captured.err.startswith("undertone: the audit found ")


def test_a_known_id_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ids from a file are looked for in all columns."""
    ids = tmp_path / "ids.txt"
    ids.write_text("ada-7\n")
    folder = published(
        tmp_path / "run", aggregate_row(40, breakdown="plan", breakdown_value="ada-7")
    )
    assert main(["audit", str(folder), "--known_id", str(ids)]) == 4
    assert "holds 1 known ids" in capsys.readouterr().out


def test_a_restricted_file_among_the_tables_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of a restricted table in the published folder is a leak even if no view reads it."""
    folder = published(tmp_path, aggregate_row(40))
    file = write_table(folder, LEDGER, [])
    file.rename(folder / "tables" / file.name)
    assert main(["audit", str(folder)]) == 4
    assert "has ledger, which is not a published table" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "name either --dataset"),
        (["nowhere"], "has no undertone.duckdb"),
        (["--dataset", "x"], "is not a BigQuery dataset"),
    ],
)
def test_wrong_input_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake is explained in one sentence, without a traceback."""
    assert main(["audit", *arguments]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_a_folder_without_publications_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first publication there is nothing to audit."""
    build_databases(tmp_path)
    assert main(["audit", str(tmp_path)]) == 2
    assert "nothing is published there" in capsys.readouterr().err
