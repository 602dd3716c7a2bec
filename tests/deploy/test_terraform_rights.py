"""Tests that the Terraform module grants nobody more rights than they need."""

from __future__ import annotations

from typing import Any, Final

from schemas.tables import TABLES
from schemas.views import VIEWS
from tests.deploy.conftest import PLANNED
from tests.deploy.plans import account_of, grants_of, in_one_process

ACCOUNTS: Final = ("pub", "stream", "backfill", "sched", "checks", "build")

PROJECT_ROLES: Final = {
    ("stream", "roles/dataflow.worker"),
    ("backfill", "roles/dataflow.worker"),
    ("backfill", "roles/bigquery.jobUser"),
    ("sched", "roles/dataflow.developer"),
    ("checks", "roles/bigquery.jobUser"),
    ("build", "roles/logging.logWriter"),
}
"""Project-wide rights: only those that Google Cloud can't grant on a single resource."""


@in_one_process
def test_accounts_have_only_these_rights_in_the_project(planned: dict[str, Any]) -> None:
    """Accounts get a project-wide right only if it can't be granted on a single resource."""
    given = {
        (account_of(member), role)
        for resource, _, role, member in grants_of(planned)
        if resource == "google_project_iam_member"
    }
    assert {one for one in given if one[0] in ACCOUNTS} == PROJECT_ROLES
    people = {role for member, role in given if member not in ACCOUNTS}
    assert people == {"roles/bigquery.jobUser"}


@in_one_process
def test_the_archive_is_read_by_the_backfill_alone(planned: dict[str, Any]) -> None:
    """Only one account may read the bucket that has text, and only Pub/Sub may write to it."""
    rights = {
        (account_of(member), role)
        for _, target, role, member in grants_of(planned)
        if target == "my-project-undertone-archive"
    }
    agent = "google_project_service_identity/pubsub.googleapis.com/member"
    assert rights == {
        ("backfill", "roles/storage.objectViewer"),
        (agent, "roles/storage.objectCreator"),
        (agent, "roles/storage.legacyBucketReader"),
    }


@in_one_process
def test_analysts_see_no_dead_letters(planned: dict[str, Any]) -> None:
    """Analysts read every view and every table but the dead letters, which have other readers."""
    readers: dict[str, set[str]] = {}
    for resource, target, role, member in grants_of(planned):
        if resource == "google_bigquery_table_iam_member" and role == "roles/bigquery.dataViewer":
            readers.setdefault(member, set()).add(target)
    names = {table.name for table in TABLES} | {*VIEWS}
    assert readers[str(PLANNED["analysts"])] == names - {"dead_letters"}
    assert readers[str(PLANNED["dead_letter_readers"])] == {"dead_letters"}
    access = planned["google_bigquery_dataset.undertone"]["access"]
    assert {one["special_group"] or account_of(one["user_by_email"]) for one in access} == {
        "projectOwners",
        "backfill",
    }


@in_one_process
def test_only_the_sender_reads_the_key(planned: dict[str, Any]) -> None:
    """Only the sender's account can read the key for pseudonyms; no job can."""
    rights = [
        (account_of(member), role)
        for resource, _, role, member in grants_of(planned)
        if resource == "google_secret_manager_secret_iam_member"
    ]
    assert rights == [("pub", "roles/secretmanager.secretAccessor")]


@in_one_process
def test_buckets_are_private(planned: dict[str, Any]) -> None:
    """No bucket can be made public, and buckets that may have text delete their files in time."""
    for name, days in (("archive", 60), ("temp", 14), ("templates", None)):
        bucket = planned[f"google_storage_bucket.{name}"]
        assert bucket["public_access_prevention"] == "enforced"
        assert bucket["uniform_bucket_level_access"] is True
        ages = [rule["condition"][0]["age"] for rule in bucket["lifecycle_rule"]]
        assert ages == ([] if days is None else [days])
