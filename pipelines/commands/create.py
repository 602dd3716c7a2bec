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
        help="create the datasets, tables and views in BigQuery",
        description="Creates the two BigQuery datasets, with the tables and views that the jobs "
        "need: one for what is published, and one for the exact counts. A "
        "view that exists is updated and keeps its access rights. A table that exists keeps its "
        "rows and gets the columns that it lacks.",
    )
    add_bigquery_argument(parser)
    parser.add_argument("--location", metavar="EU", help="location of a new dataset (default: US)")
    parser.set_defaults(command=_create)


def _create(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.sinks.bigquery import Dataset, create_datasets  # noqa: PLC0415
    from schemas.published import PUBLISHED_TABLES  # noqa: PLC0415
    from schemas.tables import RESTRICTED_TABLES  # noqa: PLC0415
    from schemas.views import PUBLISHED_VIEWS, RESTRICTED_VIEWS  # noqa: PLC0415

    dataset = Dataset.of(arguments.dataset, arguments.bigquery_url)
    create_datasets(dataset, arguments.location)
    for created, tables, views in (
        (dataset, PUBLISHED_TABLES, PUBLISHED_VIEWS),
        (dataset.restricted, RESTRICTED_TABLES, RESTRICTED_VIEWS),
    ):
        print(f"{created} has")
        print(f"  tables: {', '.join(table.name for table in tables)}")
        print(f"  views: {', '.join(views)}")
