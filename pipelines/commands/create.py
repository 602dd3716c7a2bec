"""`undertone create`: create the dataset, its tables and its views."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any


def add_create(commands: Any) -> None:
    r"""Adds the command to the parser\'s subcommands."""
    from pipelines.options import add_bigquery_argument  # noqa: PLC0415

    parser = commands.add_parser(
        "create",
        allow_abbrev=False,
        help="create dataset, tables and views in BigQuery",
        description="Creates a dataset of BigQuery with the tables and views that the job needs. "
        "Views that are there are updated and keep their access rights. Tables that are there keep "
        "their rows and get the columns that they lack.",
    )
    add_bigquery_argument(parser)
    parser.add_argument(
        "--location", metavar="EU", help="of a new dataset (default: BigQuery's own, US)"
    )
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
