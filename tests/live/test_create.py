"""Tests `undertone create` on a dataset from an earlier version."""

from __future__ import annotations

import pytest
from google.cloud import bigquery

from deploy.local.cloud import LocalCloud
from pipelines.sinks.bigquery import create_datasets, query
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
