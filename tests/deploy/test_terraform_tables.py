"""Tests that the Terraform module creates the same tables and views as the code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest
import sqlglot
from sqlglot import exp

from deploy import tables
from deploy.metadata import encoded
from pipelines.settings import Settings
from schemas.published import PUBLISHED_TABLES
from schemas.tables import RESTRICTED_TABLES, TABLES
from schemas.views import PUBLISHED_VIEWS, RESTRICTED_VIEWS, VIEWS, view_sql
from tests.deploy.conftest import PLANNED, Terraform
from tests.deploy.plans import in_one_process

DATASETS: Final = {
    "published": ({table.name for table in PUBLISHED_TABLES}, PUBLISHED_VIEWS),
    "restricted": ({table.name for table in RESTRICTED_TABLES}, RESTRICTED_VIEWS),
}
"""The tables and views of each dataset."""


def test_tables_and_views_are_up_to_date() -> None:
    """`make generate` would write the same file of tables and views now."""
    assert tables.FILE.read_text() == encoded(tables.resources()), "run: make generate"


@pytest.mark.parametrize("name", PUBLISHED_VIEWS)
def test_a_published_view_reads_nothing_exact(name: str) -> None:
    """A view for analysts reads only published tables, and views that are listed before it."""
    parsed = sqlglot.parse_one(view_sql(name, "p.published", "p.restricted"), read="bigquery")
    own = {cte.alias for cte in parsed.find_all(exp.CTE)}
    read = {(table.db, table.name) for table in parsed.find_all(exp.Table)}
    earlier = PUBLISHED_VIEWS[: PUBLISHED_VIEWS.index(name)]
    allowed = {("published", each) for each in (*DATASETS["published"][0], *earlier)}
    assert read - {("", each) for each in own} <= allowed


@in_one_process
def test_datasets_are_apart(planned: dict[str, Any]) -> None:
    """Each table and view is in its dataset, and the restricted dataset's name is derived."""
    names = {}
    for dataset, (named, views) in DATASETS.items():
        names[dataset] = planned[f"google_bigquery_dataset.{dataset}"]["dataset_id"]
        for name in (*named, *views):
            assert planned[f"google_bigquery_table.{name}"]["dataset_id"] == names[dataset]
    assert names == {"published": "undertone", "restricted": "undertone_counts"}


@in_one_process
def test_tables_have_the_columns_of_the_code(planned: dict[str, Any]) -> None:
    """Columns, partitions and clusters match the code, and deletion protection is on."""
    for table in TABLES:
        values = planned[f"google_bigquery_table.{table.name}"]
        assert json.loads(values["schema"]) == table.bigquery_schema()["fields"]
        assert values["clustering"] == list(table.cluster_by)
        partitions = [one["field"] for one in values["time_partitioning"]]
        assert partitions == ([table.partition_by] if table.partition_by else [])
        assert values["deletion_protection"] is True


@in_one_process
def test_exact_rows_expire_and_published_ones_do_not(planned: dict[str, Any]) -> None:
    """Partitions of restricted tables expire after the default number of days."""
    days = {}
    for table in TABLES:
        for one in planned[f"google_bigquery_table.{table.name}"]["time_partitioning"]:
            if one["expiration_ms"]:
                days[table.name] = one["expiration_ms"] / timedelta(days=1).total_seconds() / 1000
    assert days == {
        "counts": 90, "candidates": 60, "sample": 60, "judgements": 60, "bases": 400,
        "dead_letters": 90,
    }  # fmt: skip
    assert set(days) == set(tables.EXPIRING)


@in_one_process
def test_rows_are_kept_while_something_needs_them(planned: dict[str, Any]) -> None:
    """Superseded counts are deleted only after the longest time that a stream changes a day."""
    life = Settings().firings.conversation_life
    for table in ("counts", "candidates"):
        address = f'google_bigquery_data_transfer_config.upkeep["{table}"]'
        (days,) = set(re.findall(r"INTERVAL (\d+) DAY", planned[address]["params"]["query"]))
        assert timedelta(days=int(days)) >= life + timedelta(days=3)


@in_one_process
def test_views_are_made_after_what_they_read(planned: dict[str, Any]) -> None:
    """A view waits for exactly the tables and views that its SQL reads in both datasets."""
    resources = tables.resources()["resource"]["google_bigquery_table"]
    dataset, restricted = (
        f"google_bigquery_dataset/{name}/project.{name}"
        for name in ("undertone", "undertone_counts")
    )
    for name in VIEWS:
        (view,) = planned[f"google_bigquery_table.{name}"]["view"]
        assert view["query"] == view_sql(name, dataset, restricted)
        read = set(re.findall(r"\.undertone(?:_counts)?\.(\w+)`", view["query"]))
        assert read == {one.rpartition(".")[2] for one in resources[name]["depends_on"]}, name


@in_one_process
def test_a_view_is_never_replaced(
    terraformed: Callable[..., Terraform], planned: dict[str, Any]
) -> None:
    """A plan that would replace a view fails, because the view's access rights would be lost."""
    address = "google_bigquery_table.figures_current"
    terraform = terraformed(invent=True)
    terraform.remember(address, planned[address])
    terraform.write_variables(PLANNED)
    plan = ("plan", "-no-color", "-refresh=false", "-var-file=test.tfvars.json")
    ran = terraform.run(*plan)
    assert ran.succeeded, ran.text
    ran = terraform.run(*plan, f"-replace={address}")
    assert not ran.succeeded
    assert "Instance cannot be destroyed" in ran.text
