"""`undertone create`: create the dataset with its tables and views."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any


def add_create(commands: Any) -> None:
    """Adds the command to the command line."""
    from pipelines.options import add_bigquery_argument  # noqa: PLC0415

    parser = commands.add_parser(
        "create",
        allow_abbrev=False,
        help="create the dataset, tables and views in BigQuery",
        description="Creates a BigQuery dataset with the tables and views that the job needs. A "
        "view that exists is updated and keeps its access rights. A table that exists keeps its "
        "rows and gets the columns that it lacks.",
    )
    add_bigquery_argument(parser)
    parser.add_argument("--location", metavar="EU", help="location of a new dataset (default: US)")
    parser.set_defaults(command=_create)


def _create(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.sinks.bigquery import Dataset, create_dataset  # noqa: PLC0415
    from schemas.tables import TABLES  # noqa: PLC0415
    from schemas.views import VIEWS  # noqa: PLC0415

    dataset = Dataset.of(arguments.dataset, arguments.bigquery_url)
    create_dataset(dataset, arguments.location)
    print(f"{dataset} has")
    print(f"  tables: {', '.join(table.name for table in TABLES)}")
    print(f"  views: {', '.join(VIEWS)}")
