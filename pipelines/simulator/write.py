"""Writes a simulation to a folder: the archive, and the expected contents of the tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.simulator.labels import label_line
from pipelines.simulator.settings import SimulationSettings
from pipelines.simulator.stream import simulate
from pipelines.simulator.truth import CellName, Sums, Truth
from pipelines.sinks.archive import SYNTHESISED, read_archive_metadata, write_archive
from pipelines.terminal.full_disk import writing_to
from schemas.failures import InputError
from schemas.wire.avro import avro_schema

EVENTS: Final = "events-{:05}.avro"
TRUTH: Final = "truth.parquet"
LEDGER: Final = "ledger.json"
LABELS: Final = "labels.jsonl"
EVENTS_PER_FILE: Final = 1_000_000
"""Events in a file: few enough to read several files in parallel, without many small files."""

_CELLS_PER_GROUP: Final = 100_000
_TRUTH_SCHEMA: Final = pa.schema(
    [
        ("granularity", pa.string()),
        ("window_start_us", pa.int64()),
        ("breakdown", pa.string()),
        ("breakdown_value", pa.string()),
        ("facet", pa.string()),
        ("facet_value", pa.string()),
        ("conversations", pa.int64()),
        ("users", pa.int64()),
        ("sentiment_change_300ths", pa.int64()),
        ("sentiment_change_squares", pa.int64()),
    ]
)


class SimulationSummary(msgspec.Struct, frozen=True):
    """A summary of the files that a simulation wrote.

    Attributes:
      events: number of events in all files.
      files: names of the archive files, in the order of publishing.
      cells: number of rows in `truth.parquet`.
      ledger: expected number of records by account; dead letters have keys `dead_letter:reason`.
    """

    events: int
    files: tuple[str, ...]
    cells: int
    ledger: dict[str, int]


def write_simulation(
    folder: Path | str,
    settings: SimulationSettings,
    *,
    events_per_file: int = EVENTS_PER_FILE,
) -> SimulationSummary:
    """Writes `events-*.avro`, `truth.parquet`, `ledger.json` and `labels.jsonl`.

    The labels are true, and in the form that `undertone judge` reads.

    Replaces an earlier simulation in the folder.

    Raises:
      InputError: if the folder has archives that are not from a simulation, because they would be
        mixed with the simulated ones.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _clear(folder)
    metadata = {SYNTHESISED: ",".join(field["name"] for field in avro_schema()["fields"])}
    names: list[str] = []
    written = 0
    # Without a buffer, closing the file after another error cannot fail.
    with (folder / LABELS).open("wb", buffering=0) as labels:

        def tell(*told: Any) -> None:
            with writing_to(folder / LABELS):
                labels.write(label_line(*told))

        truth = Truth(settings.session_gap_us, settings.max_conversations_per_user, tell=tell)
        events = simulate(settings, truth)
        for first in events:
            names.append(EVENTS.format(len(names)))
            batch = chain([first], islice(events, events_per_file - 1))
            written += write_archive(folder / names[-1], batch, metadata=metadata)
    cells = _write_truth(folder / TRUTH, truth.cells())
    ledger = {
        f"{account}:{reason}" if reason else account: records
        for (account, reason), records in sorted(truth.ledger().items())
    }
    summary = SimulationSummary(written, tuple(names), cells, ledger)
    (folder / LEDGER).write_text(json.dumps(ledger, indent=2) + "\n", "utf-8")
    return summary


def _clear(folder: Path) -> None:
    """Removes the files of an earlier simulation. Refuses if the folder has other archives."""
    old = sorted(folder.glob("*.avro"))
    for path in old:
        if "text" not in read_archive_metadata(path).get(SYNTHESISED, "").split(","):
            raise InputError(
                f"{path} was not written by a simulation, so simulated data can't be added to its "
                "folder; choose another folder"
            )
    for path in (*old, folder / TRUTH, folder / LEDGER, folder / LABELS):
        path.unlink(missing_ok=True)


def _write_truth(path: Path, cells: Iterator[tuple[CellName, Sums]]) -> int:
    """Writes the cells in groups, and returns their number."""
    count = 0
    with pq.ParquetWriter(path, _TRUTH_SCHEMA) as writer:
        while rows := [(*name, *sums) for name, sums in islice(cells, _CELLS_PER_GROUP)]:
            columns = zip(*rows, strict=True)
            writer.write_table(pa.table([*map(list, columns)], schema=_TRUTH_SCHEMA))
            count += len(rows)
    return count
