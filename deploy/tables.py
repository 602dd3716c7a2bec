"""Writes the tables and views of `schemas` as JSON for Terraform: `make generate`.

Each view is a separate resource. BigQuery checks a view's tables when the view is created, and only
separate resources can depend on each other.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from deploy.metadata import encoded
from schemas.tables import TABLES, Table
from schemas.views import VIEWS, view_description, view_sql

FILE: Final = Path(__file__).with_name("terraform") / "tables.tf.json"

_KIND: Final = "google_bigquery_table"
_DATASET: Final = "${google_bigquery_dataset.undertone.dataset_id}"


def resources() -> dict[str, Any]:
    """Returns the content of the file, with a resource for every table and every view."""
    tables = {table.name: _table(table) for table in TABLES}
    views = {name: _view(name) for name in VIEWS}
    return {
        "//": "Written by make generate from schemas/. Do not edit.",
        "resource": {_KIND: tables | views},
        "locals": {
            "tables": _each([table.name for table in TABLES]),
            "views": _each(VIEWS),
        },
    }


def read_by(view: str) -> list[str]:
    """Returns the tables and views that a view reads, without repeats."""
    return sorted(set(re.findall(r"`\{dataset\}\.(\w+)`", view_sql(view, "{dataset}"))))


def write() -> None:
    """Writes `tables.tf.json`."""
    FILE.write_text(encoded(resources()), "utf-8")


def _table(table: Table) -> dict[str, Any]:
    resource = {
        "dataset_id": _DATASET,
        "table_id": table.name,
        "description": _literal(table.description),
        "clustering": list(table.cluster_by),
        "schema": _literal(encoded(table.bigquery_schema()["fields"])),
        # Rows must be kept: a backfill can't restore days that the archive no longer has.
        "deletion_protection": True,
    }
    if table.partition_by:
        resource["time_partitioning"] = {"type": "DAY", "field": table.partition_by}
    return resource


def _view(name: str) -> dict[str, Any]:
    file = f'file("${{path.module}}/../../schemas/views/{name}.sql")'
    query = f'${{replace({file}, "{{dataset}}", local.dataset)}}'
    return {
        "dataset_id": _DATASET,
        "table_id": name,
        "description": _literal(view_description(name)),
        "view": {"query": query, "use_legacy_sql": False},
        "deletion_protection": False,
        # Replacing a view would drop the rights to read it. A removed view may be deleted.
        "lifecycle": {"prevent_destroy": True},
        "depends_on": [f"{_KIND}.{source}" for source in read_by(name)],
    }


def _each(names: Any) -> dict[str, str]:
    return {name: f"${{{_KIND}.{name}.table_id}}" for name in names}


def _literal(text: str) -> str:
    """Escapes Terraform's template marks in a text, so that Terraform takes it literally."""
    return text.replace("${", "$${").replace("%{", "%%{")


if __name__ == "__main__":
    write()
