"""Tests `undertone create` on a dataset that already exists."""

from __future__ import annotations

from google.api_core.iam import Policy
from google.cloud import bigquery

from pipelines.sinks.bigquery import Dataset, create_datasets
from schemas.views import view_description, view_sql

VIEW = "shares"
BINDINGS = [{"role": "roles/bigquery.dataViewer", "members": {"group:analysts@example.com"}}]


def make_earlier(dataset: Dataset) -> bigquery.Table:
    """Gives a view the SQL of an earlier version, and gives analysts read access to the view."""
    client = dataset.client()
    view = client.get_table(f"{dataset}.{VIEW}")
    view.view_query, view.description = "SELECT 1 AS share", "Earlier."
    earlier = client.update_table(view, ["view_query", "description"])
    policy = Policy(version=1)  # type: ignore[no-untyped-call]
    policy.bindings = BINDINGS
    client.set_iam_policy(earlier, policy)
    return earlier


def test_a_view_is_updated_in_place(dataset: Dataset) -> None:
    """A view from an earlier version gets this version's SQL, and its readers keep access."""
    earlier = make_earlier(dataset)
    create_datasets(dataset)
    client = dataset.client()
    found = client.get_table(f"{dataset}.{VIEW}")
    assert found.view_query == view_sql(VIEW, str(dataset), str(dataset.restricted))
    assert found.description == view_description(VIEW)
    assert found.created == earlier.created
    assert client.get_iam_policy(found).bindings == BINDINGS


def test_an_unchanged_view_is_left_alone(dataset: Dataset) -> None:
    """If `create` is repeated with the same version, it changes no view."""
    client = dataset.client()
    before = client.get_table(f"{dataset}.{VIEW}")
    create_datasets(dataset)
    assert client.get_table(f"{dataset}.{VIEW}").etag == before.etag
