"""Tests that the Terraform module creates the same tables and views as the code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from deploy import tables
from deploy.metadata import encoded
from schemas.tables import TABLES
from schemas.views import VIEWS, view_sql
from tests.deploy.conftest import PLANNED, Terraform
from tests.deploy.plans import in_one_process


def test_tables_and_views_are_up_to_date() -> None:
    """`make generate` would write the same file of tables and views now."""
    assert tables.FILE.read_text() == encoded(tables.resources()), "run: make generate"


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
def test_views_are_made_after_what_they_read(planned: dict[str, Any]) -> None:
    """A view waits for exactly the tables and views that its SQL reads in the dataset."""
    resources = tables.resources()["resource"]["google_bigquery_table"]
    dataset = "google_bigquery_dataset/undertone/project.undertone"
    for name in VIEWS:
        (view,) = planned[f"google_bigquery_table.{name}"]["view"]
        assert view["query"] == view_sql(name, dataset)
        read = {*re.findall(rf"{re.escape(dataset)}\.(\w+)`", view["query"])}
        assert read <= {*VIEWS, *(table.name for table in TABLES)}
        assert read == {one.rpartition(".")[2] for one in resources[name]["depends_on"]}, name


@in_one_process
def test_a_view_is_never_replaced(
    terraformed: Callable[..., Terraform], planned: dict[str, Any]
) -> None:
    """A plan that would replace a view fails, because the view's access rights would be lost."""
    address = "google_bigquery_table.shares"
    terraform = terraformed(invent=True)
    terraform.remember(address, planned[address])
    terraform.write_variables(PLANNED)
    plan = ("plan", "-no-color", "-refresh=false", "-var-file=test.tfvars.json")
    ran = terraform.run(*plan)
    assert ran.succeeded, ran.text
    ran = terraform.run(*plan, f"-replace={address}")
    assert not ran.succeeded
    assert "Instance cannot be destroyed" in ran.text
