"""Tests the datasets that a job starts with: those of an earlier version, and of no earlier run."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.cloud import bigquery

from deploy.local.bigquery import bigquery_emulator
from deploy.local.cloud import LocalCloud
from pipelines.sinks.bigquery import Dataset, create_datasets, query
from schemas.tables import BACKFILLS

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


def test_a_missing_column_is_added_and_rows_are_kept(cloud: LocalCloud) -> None:
    """A missing column is added; rows from an earlier version are kept, with NULL in it."""
    dataset = cloud.dataset._replace(name="earlier")
    counts, client = dataset.restricted, dataset.client()
    client.create_dataset(str(counts))
    columns = [bigquery.SchemaField(c.name, c.type) for c in BACKFILLS.columns[:-1]]
    client.create_table(bigquery.Table(f"{counts}.{BACKFILLS.name}", columns))
    row = {"run": 7, "day": "2026-01-05T00:00:00+00:00", "files": 1, "size_bytes": 2,
           "inputs_sha256": "0f"}  # fmt: skip
    assert client.insert_rows_json(f"{counts}.{BACKFILLS.name}", [row]) == []
    create_datasets(dataset)
    create_datasets(dataset)
    found = query(dataset, "SELECT run, settings FROM `{restricted}.backfills`")
    assert found == [{"run": 7, "settings": None}]


@pytest.mark.usefixtures("cloud")  # Skips the test where the emulator cannot run.
def test_an_emulator_starts_empty(tmp_path: Path) -> None:
    """An emulator in the folder of an earlier one does not have the earlier one's datasets."""
    for _ in range(2):
        with bigquery_emulator(tmp_path, "earlier") as emulator:
            dataset = Dataset("earlier", "undertone", emulator.url)
            found = [listed.dataset_id for listed in dataset.client().list_datasets()]
            assert dataset.name not in found
            create_datasets(dataset)
