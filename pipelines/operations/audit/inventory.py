"""Lists all tables and views of the published dataset, whether or not they should be there."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pipelines.operations.audit.tables import Query
from pipelines.sinks.database import TABLES_FOLDER

# The translation from BigQuery's dialect reads INFORMATION_SCHEMA.TABLES as one name.
_LOCAL: Final = "SELECT name AS table_name FROM sqlite_master WHERE type IN ('table', 'view')"
_BIGQUERY: Final = "SELECT table_name FROM `{dataset}.INFORMATION_SCHEMA.TABLES`"


def table_names(folder: Path | None, query: Query) -> list[str]:
    """Returns the names of all tables and views that analysts can read.

    Args:
      folder: output folder of a run; None for BigQuery. Its Parquet files count as tables too.
      query: runs a query on the folder or the dataset.

    Raises:
      InputError: if the names can't be read.
    """
    names = {str(row["table_name"]) for row in query(_BIGQUERY if folder is None else _LOCAL)}
    if folder is not None:
        files = (folder / TABLES_FOLDER).glob("*")
        names |= {file.name.split("-")[0].split(".")[0] for file in files}
    return sorted(names)
