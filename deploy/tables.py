"""Writes the tables and views of `schemas` as JSON for Terraform: `make generate`.

Each view is a separate resource. BigQuery checks a view's tables when the view is created, and only
separate resources can depend on each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from deploy.metadata import encoded
from schemas.published import PUBLISHED_TABLES
from schemas.table import Table
from schemas.tables import RESTRICTED_TABLES
from schemas.views import PUBLISHED_VIEWS, RESTRICTED_VIEWS, view_description, view_sql

FILE: Final = Path(__file__).with_name("terraform") / "tables.tf.json"

EXPIRING: Final = ("counts", "candidates", "sample", "judgements", "bases", "dead_letters")
"""Tables whose partitions expire, after the number of days in `var.keep_days`."""

_KIND: Final = "google_bigquery_table"
_PUBLISHED: Final = "published"
_RESTRICTED: Final = "restricted"
_PLACES: Final = {_PUBLISHED: "dataset", _RESTRICTED: "restricted"}
"""For each dataset, how the views' SQL and Terraform's locals name it."""


def resources() -> dict[str, Any]:
    """Returns the content of the file, with a resource for every table and every view."""
    made: dict[str, Any] = {}
    for dataset, tables, views in (
        (_PUBLISHED, PUBLISHED_TABLES, PUBLISHED_VIEWS),
        (_RESTRICTED, RESTRICTED_TABLES, RESTRICTED_VIEWS),
    ):
        made |= {table.name: _table(dataset, table) for table in tables}
        made |= {name: _view(dataset, name) for name in views}
    return {
        "//": "Written by make generate from schemas/. Do not edit.",
        "resource": {_KIND: made},
        "locals": {
            "published_tables": _each(table.name for table in PUBLISHED_TABLES),
            "published_views": _each(PUBLISHED_VIEWS),
            "restricted_tables": _each(table.name for table in RESTRICTED_TABLES),
            "restricted_views": _each(RESTRICTED_VIEWS),
        },
    }


def read_by(view: str) -> list[str]:
    """Returns the tables and views that a view reads, without repeats."""
    sql = view_sql(view, *(f"{{{name}}}" for name in _PLACES.values()))
    return sorted(set(re.findall(r"`\{(?:dataset|restricted)\}\.(\w+)`", sql)))


def write() -> None:
    """Writes `tables.tf.json`."""
    FILE.write_text(encoded(resources()), "utf-8")


def _table(dataset: str, table: Table) -> dict[str, Any]:
    resource = {
        "dataset_id": _id_of(dataset),
        "table_id": table.name,
        "description": _literal(table.description),
        "clustering": list(table.cluster_by),
        "schema": _literal(encoded(table.bigquery_schema()["fields"])),
        # Rows must be kept: a backfill can't restore days that the archive no longer has.
        "deletion_protection": True,
    }
    if table.partition_by:
        partitioning = {"type": "DAY", "field": table.partition_by}
        if table.name in EXPIRING:
            partitioning["expiration_ms"] = f"${{var.keep_days.{table.name} * 86400000}}"
        resource["time_partitioning"] = partitioning
    return resource


def _view(dataset: str, name: str) -> dict[str, Any]:
    query = f'file("${{path.module}}/../../schemas/views/{name}.sql")'
    for place in _PLACES.values():
        query = f'replace({query}, "{{{place}}}", local.{place})'
    return {
        "dataset_id": _id_of(dataset),
        "table_id": name,
        "description": _literal(view_description(name)),
        "view": {"query": f"${{{query}}}", "use_legacy_sql": False},
        "deletion_protection": False,
        # Replacing a view would drop the rights to read it. A removed view may be deleted.
        "lifecycle": {"prevent_destroy": True},
        "depends_on": [f"{_KIND}.{source}" for source in read_by(name)],
    }


def _id_of(dataset: str) -> str:
    return f"${{google_bigquery_dataset.{dataset}.dataset_id}}"


def _each(names: Iterable[str]) -> dict[str, str]:
    return {name: f"${{{_KIND}.{name}.table_id}}" for name in names}


def _literal(text: str) -> str:
    """Escapes Terraform's template marks in a text, so that Terraform takes it literally."""
    return text.replace("${", "$${").replace("%{", "%%{")


if __name__ == "__main__":
    write()
