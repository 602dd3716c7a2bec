"""The local run: counts files, publishes the counts, and writes a folder with a report."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.beam_options import bounded_runner
from pipelines.graph import assemble
from pipelines.judging.journal import JOURNAL_FILE
from pipelines.publishing.folder import parquet_file, publish_folder
from pipelines.publishing.rates import kept_rates
from pipelines.report.page import REPORT_FILE, write_report
from pipelines.report.run import RUN_FILE
from pipelines.settings import Settings, wall_clock_us
from pipelines.sinks.archive import SYNTHESISED, read_archive_metadata
from pipelines.sinks.database import (
    DATABASE_FILE,
    RESTRICTED_FOLDER,
    TABLES_FOLDER,
    build_databases,
)
from pipelines.sinks.write import write_parquet
from pipelines.sources.files import ReadFiles, literal_or_pattern
from pipelines.terminal.full_disk import writing_to
from schemas.counts import BASES
from schemas.failures import InputError
from schemas.judged import JUDGEMENTS
from schemas.tables import METRICS_VERSION, RESTRICTED_TABLES
from schemas.wire.values import lists_of
from transforms.counting.ledger import DEAD_LETTER, OTHER_VALUE
from transforms.estimation.rates import RATES_FILE, SHIPPED, GivenRates
from transforms.publishing.policy import Policy

_WITH_REASONS: Final = (DEAD_LETTER, OTHER_VALUE)
"""Accounts whose reasons are not days."""


@dataclass(frozen=True)
class Run:
    """The result of a local run: the files that it wrote."""

    folder: Path
    report: Path
    ledger: list[dict[str, Any]]
    seconds: float


def run_local(
    inputs: Sequence[str],
    folder: Path,
    settings: Settings,
    policy: Policy,
    options: PipelineOptions,
    rates: GivenRates = SHIPPED,
) -> Run:
    """Counts files, publishes every window, and writes tables, databases and report into a folder.

    A new run replaces what an earlier run wrote into the folder, but only once the new run has
    succeeded. Other files in the folder are left alone.

    Args:
      inputs: patterns of event files that end in .avro or .jsonl.
      folder: where to write.
      settings: how to count.
      policy: how to protect the published numbers.
      options: Beam's own options. If they name no runner, `bounded_runner` chooses it.
      rates: the classifier's error rates.

    Raises:
      InputError: if an input can't be read, the folder holds something else, or a disk is full.
      LedgerImbalanceError: if a record got lost.
    """
    # Resolve the path: `.` and `a/..` have no name to rename to, and a link must stay a link.
    shown, folder = folder, folder.resolve()
    _check_folder(folder)
    read = ReadFiles(inputs)
    started_at_us = wall_clock_us()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        writing_to(shown),
        tempfile.TemporaryDirectory(prefix=".undertone-", dir=folder.parent) as scratch,
        # This folder is not next to the output, because Beam's writer reads brackets in a
        # path as a pattern.
        tempfile.TemporaryDirectory(prefix="undertone-") as parts,
    ):
        fresh = Path(scratch) / "run"
        restricted = fresh / RESTRICTED_FOLDER / TABLES_FOLDER
        restricted.mkdir(parents=True)
        with writing_to(Path(parts), "free some space or set TMPDIR to a folder on another disk"):
            _count(read, settings, Path(parts), options)
        _put_in_order(Path(parts), restricted)
        _keep_judgements(folder, fresh)
        publish_folder(fresh, policy, settings.revision, rates)
        finished_at_us = wall_clock_us()
        ledger = [row for path in sorted(restricted.glob("ledger-*")) for row in _rows(path)]
        facts = _facts(inputs, settings, policy, started_at_us, finished_at_us, ledger)
        (fresh / RUN_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        build_databases(fresh)
        write_report(fresh)
        _replace(folder, fresh, Path(scratch) / "replaced")
    return Run(shown, shown / REPORT_FILE, ledger, (finished_at_us - started_at_us) / 1e6)


def republish(folder: Path, policy: Policy, attempt: int, rates: GivenRates | None = None) -> None:
    """Publishes every window of a finished run again, and writes tables, databases and report.

    Each file is replaced as a whole. No file that holds what was counted or judged is touched, so
    after a crash it is enough to call this function again.

    Args:
      folder: output folder of the run.
      policy: how to protect the published numbers.
      attempt: the current time, microseconds since the epoch.
      rates: the classifier's error rates; None for those that the run was published with.

    Raises:
      InputError: if a table is of another version, or a disk is full.
    """
    shown, folder = folder, folder.resolve()
    with (
        writing_to(shown),
        tempfile.TemporaryDirectory(prefix=".undertone-", dir=folder.parent) as scratch,
    ):
        fresh = Path(scratch) / "run"
        kept = Path(RESTRICTED_FOLDER) / TABLES_FOLDER
        shutil.copytree(folder / kept, fresh / kept)
        shutil.copy2(folder / RUN_FILE, fresh / RUN_FILE)
        publish_folder(fresh, policy, attempt, kept_rates(folder) if rates is None else rates)
        build_databases(fresh)
        write_report(fresh)
        made = {fresh / DATABASE_FILE, fresh / RESTRICTED_FOLDER / DATABASE_FILE}
        made |= {*(fresh / TABLES_FOLDER).iterdir(), *(fresh / kept).glob(f"{BASES.name}-*")}
        made |= {*fresh.glob(RATES_FILE)}
        for file in (*sorted(made), fresh / REPORT_FILE):
            os.replace(file, folder / file.relative_to(fresh))


def _count(read: ReadFiles, settings: Settings, parts: Path, options: PipelineOptions) -> None:
    """Runs the job and writes each table into a folder, as files in any order."""
    pipeline = beam.Pipeline(runner=bounded_runner(options), options=options)
    try:
        write_parquet(assemble(pipeline | "Read" >> read, settings), parts, settings)
        pipeline.run().wait_until_finish()
    finally:
        # Beam creates this folder with the pipeline, but deletes it only if the pipeline runs.
        shutil.rmtree(pipeline.local_tempdir, ignore_errors=True)


def _check_folder(folder: Path) -> None:
    is_taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if is_taken and not (folder / RUN_FILE).is_file():
        raise InputError(
            f"{folder} holds something other than an Undertone run; name a new folder with --output"
        )


def _put_in_order(parts: Path, tables: Path) -> None:
    """Writes each table as one sorted file.

    Bundles and workers finish in any order, but equal rows must give equal bytes.
    """
    for table in RESTRICTED_TABLES:
        files = sorted(parts.glob(f"{table.name}-*"))
        if files:
            rows = pa.concat_tables(pq.read_table(file) for file in files)
            rows = rows.sort_by([(name, "ascending") for name in rows.column_names])
            pq.write_table(rows, parquet_file(tables, table))


def _keep_judgements(folder: Path, fresh: Path) -> None:
    """Copies the judgements of an earlier run, which cost time or money, into the new one.

    They count again once the new run's sample is judged, because no conversation is judged twice.
    """
    tables = Path(RESTRICTED_FOLDER) / TABLES_FOLDER
    for kept in (
        parquet_file(tables, JUDGEMENTS),
        Path(RESTRICTED_FOLDER) / JOURNAL_FILE,
    ):
        if (folder / kept).exists():
            shutil.copy2(folder / kept, fresh / kept)


def _replace(folder: Path, fresh: Path, replaced: Path) -> None:
    """Moves the files of an earlier run out of a folder, and the files of the new run into it."""
    folder.mkdir(exist_ok=True)
    replaced.mkdir()
    # The run file goes first and comes last, because it marks the folder as a complete run.
    names = RESTRICTED_FOLDER, TABLES_FOLDER, DATABASE_FILE, RATES_FILE, REPORT_FILE, RUN_FILE
    for name in reversed(names):
        if (folder / name).exists():
            os.rename(folder / name, replaced / name)
    for name in names:
        if (fresh / name).exists():
            os.rename(fresh / name, folder / name)


def _rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def _facts(
    inputs: Sequence[str],
    settings: Settings,
    policy: Policy,
    started_at_us: int,
    finished_at_us: int,
    ledger: list[dict[str, Any]],
) -> dict[str, Any]:
    """Returns the facts about the run that the report needs but the tables lack."""
    return {
        "inputs": list(inputs),
        "synthesised": _synthesised(inputs),
        "started_at": _iso(started_at_us),
        "finished_at": _iso(finished_at_us),
        "settings": {
            "session_gap_s": settings.session_gap.total_seconds(),
            "allowed_lateness_s": settings.allowed_lateness.total_seconds(),
            "max_conversations_per_user": settings.max_conversations_per_user,
            "max_event_bytes": settings.max_event_bytes,
            "values": lists_of(settings.values),
            "policy": json.loads(policy.encode()),
            "metrics_version": METRICS_VERSION,
        },
        "classifier": {"version": settings.classifier_version},
        "ledger": _without_days(ledger),
    }


def _without_days(ledger: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Adds up the accounts whose reasons are days.

    Numbers of single days are exact and small. They stay in the restricted folder.
    """
    sums: Counter[tuple[str, str]] = Counter()
    for row in ledger:
        reason = row["reason"] if row["account"] in _WITH_REASONS else ""
        sums[row["account"], reason] += row["records"]
    return [
        {"account": account, "reason": reason, "records": records}
        for (account, reason), records in sums.items()
    ]


def _synthesised(inputs: Sequence[str]) -> list[str]:
    """Returns the names of the made-up event fields, as stated in the archives' metadata."""
    fields: set[str] = set()
    for match in FileSystems.match([literal_or_pattern(p) for p in inputs if p.endswith(".avro")]):
        for file in match.metadata_list:
            stated = read_archive_metadata(Path(file.path)).get(SYNTHESISED, "")
            fields.update(field for field in stated.split(",") if field)
    return sorted(fields)


def _iso(instant_us: int) -> str:
    return datetime.fromtimestamp(instant_us / 1e6, UTC).isoformat(timespec="seconds")
