"""Tests that the Terraform module grants nobody more rights than they need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from schemas.published import PUBLISHED_TABLES
from schemas.tables import RESTRICTED_TABLES
from schemas.views import PUBLISHED_VIEWS, RESTRICTED_VIEWS
from tests.deploy.conftest import PLANNED, Terraform
from tests.deploy.plans import account_of, grants_of, in_one_process

ACCOUNTS: Final = (
    "send", "stream", "backfill", "judge", "publish", "sched", "checks", "upkeep", "eraser",
    "build",
)  # fmt: skip

PROJECT_ROLES: Final = {
    ("stream", "roles/dataflow.worker"),
    ("backfill", "roles/dataflow.worker"),
    ("backfill", "roles/bigquery.jobUser"),
    ("judge", "roles/dataflow.worker"),
    ("judge", "roles/bigquery.jobUser"),
    ("publish", "roles/dataflow.worker"),
    ("publish", "roles/bigquery.jobUser"),
    ("sched", "roles/dataflow.developer"),
    ("checks", "roles/bigquery.jobUser"),
    ("upkeep", "roles/bigquery.jobUser"),
    ("eraser", "roles/bigquery.jobUser"),
    ("build", "roles/logging.logWriter"),
}
"""Project-wide rights: only those that Google Cloud can't grant on a single resource."""

PUBLISHED: Final = {*(table.name for table in PUBLISHED_TABLES), *PUBLISHED_VIEWS}
RESTRICTED: Final = {*(table.name for table in RESTRICTED_TABLES), *RESTRICTED_VIEWS}
READER: Final = "roles/bigquery.dataViewer"
WRITER: Final = "roles/bigquery.dataEditor"


def tables_of(planned: dict[str, Any], role: str) -> dict[str, set[str]]:
    """Returns the tables and views on which each account or person has a role, by member."""
    found: dict[str, set[str]] = {}
    for resource, target, given, member in grants_of(planned):
        if resource == "google_bigquery_table_iam_member" and given == role:
            found.setdefault(account_of(member), set()).add(target)
    return found


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
def test_few_accounts_open_the_archive(planned: dict[str, Any]) -> None:
    """Of our jobs, backfill and judge read the bucket that has text; people act as the eraser."""
    rights = {
        (account_of(member), role)
        for _, target, role, member in grants_of(planned)
        if target == "my-project-undertone-archive"
    }
    agent = "google_project_service_identity/pubsub.googleapis.com/member"
    assert rights == {
        ("backfill", "roles/storage.objectViewer"),
        ("judge", "roles/storage.objectViewer"),
        ("eraser", "roles/storage.objectUser"),
        ("eraser", "roles/storage.legacyBucketReader"),
        (agent, "roles/storage.objectCreator"),
        (agent, "roles/storage.legacyBucketReader"),
    }


@in_one_process
def test_analysts_read_only_what_is_published(planned: dict[str, Any]) -> None:
    """Analysts read every published table and view and nothing else; operators read all tables."""
    readers = tables_of(planned, READER)
    assert readers[str(PLANNED["analysts"])] == PUBLISHED
    assert readers[str(PLANNED["operators"])] == PUBLISHED | RESTRICTED
    assert not PUBLISHED & RESTRICTED


@in_one_process
def test_a_dataset_gives_no_right_to_analysts(planned: dict[str, Any]) -> None:
    """Only the project's owners have rights on the published dataset as a whole."""
    given = {
        name: {
            one["special_group"] or account_of(one["user_by_email"])
            for one in planned[f"google_bigquery_dataset.{name}"]["access"]
        }
        for name in ("published", "restricted")
    }
    assert given == {"published": {"projectOwners"}, "restricted": {"projectOwners", "backfill"}}


@in_one_process
def test_counting_and_publishing_are_apart(planned: dict[str, Any]) -> None:
    """No counting job can write what is published, and the publisher can't write counts."""
    written = tables_of(planned, WRITER)
    assert written == {
        "stream": {"counts", "candidates", "ledger", "dead_letters"},
        "judge": {"sample", "judgements"},
        "publish": {"publications", "aggregates", "figures", "bases"},
        "upkeep": {"counts", "candidates", "ledger"},
        "eraser": {"dead_letters", "sample", "judgements"},
    }
    judged = {"sample", "sample_current", "judgements", "judgements_current"}
    read = tables_of(planned, READER)
    assert read["publish"] == {"counts", "counts_current", *judged}
    assert read["judge"] == {
        "candidates", "candidates_current", "sample_current", "judgements_current",
    }  # fmt: skip


@in_one_process
def test_only_who_hashes_reads_the_keys(planned: dict[str, Any]) -> None:
    """Senders and the judge read keys of their own. Whoever hashes ids reads the key of ids."""
    rights = {
        (account_of(values["member"]), values["secret_id"].split("/")[1])
        for address, values in planned.items()
        if address.startswith("google_secret_manager_secret_iam_member.")
    }
    sender, ids = "undertone-pseudonym-key", "undertone-id-key"
    hashers = {(account, ids) for account in ("stream", "backfill", "judge", "eraser")}
    assert rights == hashers | {("send", sender), ("judge", "undertone-judge-key")}


@in_one_process
def test_without_judging_there_is_no_account_for_it(
    terraformed: Callable[..., Terraform],
) -> None:
    """By default nothing is judged, and no second account opens the archive."""
    variables = {name: value for name, value in PLANNED.items() if not name.startswith("judg")}
    plan = terraformed(invent=True).plan(**variables)
    resources = plan["planned_values"]["root_module"]["resources"]
    planned = {resource["address"]: resource["values"] for resource in resources}
    assert "judge" not in {account_of(member) for _, _, _, member in grants_of(planned)}
    assert not [address for address in planned if "judge" in address.replace("judgements", "")]


@in_one_process
def test_people_act_as_the_eraser_only(planned: dict[str, Any]) -> None:
    """The only account that people may act as is the one that erases a user."""
    acting = {
        (address.partition(".")[2].partition("[")[0], values["member"])
        for address, values in planned.items()
        if address.startswith("google_service_account_iam_member.")
        and values["member"].startswith("group:")
    }
    assert acting == {("erasers", PLANNED["erasers"])}


@in_one_process
def test_buckets_are_private(planned: dict[str, Any]) -> None:
    """No bucket can be made public, and buckets that may have text delete their files in time."""
    for name, days in (("archive", 60), ("temp", 14), ("templates", None)):
        bucket = planned[f"google_storage_bucket.{name}"]
        assert bucket["public_access_prevention"] == "enforced"
        assert bucket["uniform_bucket_level_access"] is True
        ages = [rule["condition"][0]["age"] for rule in bucket["lifecycle_rule"]]
        assert ages == ([] if days is None else [days])
