"""Tests that the source distribution is complete, and works in a separate environment."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.local.bigquery import BigQueryEmulator, bigquery_emulator
from pipelines.sinks.bigquery import Dataset, create_datasets, query
from pipelines.sources.secret import local_secret
from schemas.counts import COUNTS
from schemas.tables import BACKFILLS, DEAD_LETTERS, LEDGER
from tests.deploy.package import PACKAGES, ROOT, build_sdist
from tests.golden.update_rules import version_of
from tests.services import have

pytestmark = [pytest.mark.xdist_group("release"), pytest.mark.timeout(900)]

CONVERSATIONS: Final = 2_000
DAY: Final = "2026-01-05"
PROJECT: Final = "my-project"
RUN_COLUMNS: Final = ("run", "generation", "revision", "snapshot", "ingested_at")
"""Columns that differ between two runs over the same events, because they contain times."""

_TIMEOUT_S: Final = 240


def run(python: Path | str, folder: Path, *arguments: str, **variables: str) -> str:
    """Runs a module with a given Python, outside the folder of the sources; returns the output."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
    ran = subprocess.run(
        [str(python), "-m", *arguments], env=environment | variables, cwd=folder,
        capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BigQueryEmulator]:
    """Runs the BigQuery emulator."""
    manager = bigquery_emulator(tmp_path_factory.mktemp("bigquery"), PROJECT)
    yield have(manager.__enter__)
    manager.__exit__(None, None, None)


def backfill(
    python: Path | str, folder: Path, archive: Path, url: str, **variables: str
) -> Dataset:
    """Runs the backfill over an archive, from a new folder; returns the dataset it filled."""
    folder.mkdir()
    dataset = Dataset(PROJECT, folder.name, url)
    create_datasets(dataset)
    run(
        python, folder, "pipelines.backfill", f"--from={DAY}", f"--to={DAY}",
        f"--input={archive}", f"--dataset={dataset}", f"--bigquery_url={url}",
        f"--temp_location={folder / 'temp'}", f"--secret={local_secret().path}", **variables,
    )  # fmt: skip
    return dataset


def rows_of(dataset: Dataset, table: str) -> Counter[tuple[Any, ...]]:
    """Returns the rows of a table without `RUN_COLUMNS`."""
    rows = query(dataset, f"SELECT * FROM `{{restricted}}.{table}`")
    return Counter(tuple(v for k, v in row.items() if k not in RUN_COLUMNS) for row in rows)


@pytest.fixture(scope="module")
def archive(sdist_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns an archive that the released package simulated."""
    folder = tmp_path_factory.mktemp("simulated")
    flags = (
        f"--conversations={CONVERSATIONS}", f"--start={DAY}", "--days=1", "--late=0.01",
        "--malformed=0.01",
    )  # fmt: skip
    run(sdist_python, folder, "pipelines.commands.main", "simulate", *flags, "--output=archive")
    (file,) = (folder / "archive").glob("*.avro")
    return file


def test_the_sdist_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    """The sdist has all code, models, word lists, templates, SQL and descriptors, byte for byte."""
    prefix = f"undertone-{version_of()}/"
    with tarfile.open(build_sdist(tmp_path)) as packed:
        held = {
            name.removeprefix(prefix): packed.extractfile(name).read()  # type: ignore[union-attr]
            for name in packed.getnames()
            if packed.getmember(name).isfile()
        }
    ours = {
        str(file.relative_to(ROOT)): file.read_bytes()
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {
        "transforms/classifiers/ngram/model.npz",
        "schemas/conversation_event.avsc",
    } <= ours.keys()
    assert {name for name, content in ours.items() if held.get(name) != content} == set()


def test_the_package_counts_as_the_sources_do(
    sdist_python: Path, archive: Path, emulator: BigQueryEmulator, tmp_path: Path
) -> None:
    """A backfill by the installed package writes the same rows as a backfill by the sources."""
    released = backfill(sdist_python, tmp_path / "released", archive, emulator.url)
    sources = backfill(
        sys.executable, tmp_path / "sources", archive, emulator.url, PYTHONPATH=str(ROOT)
    )
    for table in (COUNTS, DEAD_LETTERS, LEDGER, BACKFILLS):
        rows = rows_of(released, table.name)
        assert rows.total() > 0, table.name
        assert rows == rows_of(sources, table.name), table.name
