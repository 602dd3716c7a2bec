"""A table: its columns, and the forms in which BigQuery, Parquet and DuckDB need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pyarrow as pa

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ARROW: Final[Mapping[str, pa.DataType]] = {
    "STRING": pa.string(),
    "INT64": pa.int64(),
    "FLOAT64": pa.float64(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
}


def instant(at_us: int) -> datetime:
    """Returns the instant, microseconds since the epoch, as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=at_us)


@dataclass(frozen=True)
class Column:
    """One column: its BigQuery type and its meaning."""

    name: str
    type: str
    description: str
    required: bool = True


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
      name: name of the table within the dataset.
      description: explains what a row stands for.
      columns: the columns, in the order of the record's fields.
      record: type of the records that are written as rows; a field `x_us` goes to a TIMESTAMP
        column `x`.
      partition_by: TIMESTAMP column by whose day the table is partitioned, or None.
      cluster_by: columns by which the table is clustered.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    record: type[msgspec.Struct]
    partition_by: str | None
    cluster_by: tuple[str, ...]

    def bigquery_schema(self) -> dict[str, list[dict[str, str]]]:
        """Returns the schema in BigQuery's JSON form."""
        return {
            "fields": [
                {
                    "name": c.name,
                    "type": c.type,
                    "mode": "REQUIRED" if c.required else "NULLABLE",
                    "description": c.description,
                }
                for c in self.columns
            ]
        }

    def bigquery_parameters(self) -> dict[str, Any]:
        """Returns the partitioning and clustering as parameters for BigQuery's load API."""
        parameters: dict[str, Any] = {"clustering": {"fields": list(self.cluster_by)}}
        if self.partition_by:
            parameters["timePartitioning"] = {"type": "DAY", "field": self.partition_by}
        return parameters

    def arrow_schema(self) -> pa.Schema:
        """Returns the schema of the Parquet files."""
        return pa.schema(
            pa.field(c.name, _ARROW[c.type], nullable=not c.required) for c in self.columns
        )

    def row(self, record: msgspec.Struct) -> dict[str, Any]:
        """Returns the record as a dict of column names to values; instants are UTC datetimes."""
        values = msgspec.structs.astuple(record)
        return {
            c.name: instant(value) if c.type == "TIMESTAMP" and value is not None else value
            for c, value in zip(self.columns, values, strict=True)
        }

    def bigquery_row(self, record: msgspec.Struct) -> dict[str, Any]:
        """Returns the row as JSON for BigQuery, with instants in RFC 3339."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in self.row(record).items()
        }
