"""A simulation is written to files."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.simulator import SimulationSettings, Truth, simulate, write_simulation
from pipelines.sinks.archive import SYNTHESISED, read_archive_metadata, read_events, write_archive
from schemas.failures import InputError

SETTINGS = SimulationSettings(
    conversations=60, start=datetime(2026, 3, 2, tzinfo=UTC), days=1, duplicates=0.1
)


def test_files_contain_the_events_in_order(tmp_path: Path) -> None:
    """The files in order have all events, and their metadata lists the made-up fields."""
    summary = write_simulation(tmp_path, SETTINGS, events_per_file=200)
    read = [event for name in summary.files for event in read_events(tmp_path / name)]
    assert read == list(simulate(SETTINGS))
    assert summary.events == len(read)
    assert len(summary.files) == -(-len(read) // 200)
    made_up = read_archive_metadata(tmp_path / summary.files[0])[SYNTHESISED].split(",")
    assert {"text", "user_id", "sent_at_us"} <= set(made_up)


def test_truth_and_ledger_are_written_too(tmp_path: Path) -> None:
    """`truth.parquet` has one row per cell; `ledger.json` has the expected ledger."""
    summary = write_simulation(tmp_path, SETTINGS)
    truth = Truth(SETTINGS.session_gap_us)
    assert len(list(simulate(SETTINGS, truth))) == summary.events
    rows = pq.read_table(tmp_path / "truth.parquet").to_pylist()
    assert {tuple(r.values()) for r in rows} == {(*name, *sums) for name, sums in truth.cells()}
    ledger = json.loads((tmp_path / "ledger.json").read_text())
    assert ledger == summary.ledger
    assert ledger["read"] == summary.events == sum(ledger.values()) - ledger["read"]


def test_an_earlier_simulation_is_replaced(tmp_path: Path) -> None:
    """Writing a simulation again removes all earlier files."""
    write_simulation(tmp_path, SETTINGS, events_per_file=100)
    summary = write_simulation(tmp_path, SETTINGS)
    assert [path.name for path in tmp_path.glob("*.avro")] == list(summary.files)


def test_archives_from_elsewhere_are_left_alone(tmp_path: Path) -> None:
    """A folder with other archives is refused; a run would read them as simulated events."""
    write_archive(tmp_path / "mine.avro", [], metadata={SYNTHESISED: "user_id"})
    with pytest.raises(InputError, match=r"mine\.avro was not written by a simulation"):
        write_simulation(tmp_path, SETTINGS)
    assert (tmp_path / "mine.avro").exists()
