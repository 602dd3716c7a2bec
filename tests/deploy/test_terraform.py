"""The Terraform module: valid, complete, of least rights, and of the same tables as the code."""

from __future__ import annotations

import base64
import fnmatch
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from deploy import tables
from deploy.metadata import FOLDER, encoded
from schemas.tables import TABLES
from schemas.views import VIEWS, view_sql
from tests.deploy.conftest import PLANNED, ROOT, Terraform, needs

MODULE: Final = ROOT / "deploy" / "terraform"
ACCOUNTS: Final = ("pub", "stream", "backfill", "sched", "checks", "build")
PROJECT_ROLES: Final = {
    ("stream", "roles/dataflow.worker"),
    ("backfill", "roles/dataflow.worker"),
    ("backfill", "roles/bigquery.jobUser"),
    ("sched", "roles/dataflow.developer"),
    ("checks", "roles/bigquery.jobUser"),
    ("build", "roles/logging.logWriter"),
}
"""What an account may do in the whole project: what Google Cloud knows nowhere below it."""

in_one_process = pytest.mark.xdist_group("terraform")


def parameters_of(template: str) -> dict[str, dict[str, Any]]:
    """Returns the parameters of a template's metadata by name."""
    written = json.loads((FOLDER / f"{template}.json").read_text())
    return {parameter["name"]: parameter for parameter in written["parameters"]}


def grants_of(planned: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Gives resource, target, role and member of every right that is given."""
    targets = ("topic", "subscription", "bucket", "table_id", "secret_id", "service_account_id")
    for address, values in planned.items():
        if "_iam_member." in address:
            target = next((values[key] for key in targets if key in values), "")
            yield address.split(".")[0], target.split("/")[-1], values["role"], values["member"]


def account_of(member: str) -> str:
    """Returns our account's name in a member, or the member."""
    found = re.search(r"google_service_account/undertone-(\w+)/", member)
    return found[1] if found else member


def launch_of(planned: dict[str, Any]) -> dict[str, Any]:
    """Returns what the scheduler asks Dataflow to launch."""
    (target,) = planned["google_cloud_scheduler_job.backfill[0]"]["http_target"]
    launch: dict[str, Any] = json.loads(base64.b64decode(target["body"]))["launchParameter"]
    return launch


def planned_alerts(planned: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Returns severity and query of each alert on metrics, by its section in the runbook."""
    return {
        values["documentation"][0]["content"].rpartition("#alert-")[2]: {
            "severity": values["severity"],
            "query": values["conditions"][0]["condition_prometheus_query_language"][0]["query"],
        }
        for address, values in planned.items()
        if address.startswith("google_monitoring_alert_policy.query")
    }


@pytest.fixture(scope="session")
def everything_set(terraformed: Callable[..., Terraform]) -> dict[str, Any]:
    """The resources where every field of the variables for flags has a value."""
    text = (MODULE / "variables.tf").read_text()
    variables: dict[str, Any] = dict(PLANNED)
    for name in ("counting", "stream", "backfill"):
        block = text.partition(f'variable "{name}" {{')[2].partition("\n}")[0]
        fields = re.findall(r"^\s+(\w+)\s+= optional\((\w+)", block, re.MULTILINE)
        assert fields
        values = {"string": "1d", "number": 15, "bool": True}
        variables[name] = {field: values[kind] for field, kind in fields}
    plan = terraformed(invent=True).plan(**variables)
    resources = plan["planned_values"]["root_module"]["resources"]
    return {resource["address"]: resource["values"] for resource in resources}


def test_the_files_are_formatted() -> None:
    """`terraform fmt` would change nothing."""
    command = [needs("terraform"), "fmt", "-check", "-recursive", "-diff", str(MODULE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


@in_one_process
def test_the_module_is_valid(terraformed: Callable[..., Terraform]) -> None:
    """Every block, attribute and reference is one that Terraform and the providers know."""
    ran = terraformed().run("validate", "-no-color")
    assert ran.succeeded, ran.text


@in_one_process
@pytest.mark.parametrize(
    ("file", "found", "replaced", "said"),
    [
        ("pubsub.tf", "write_metadata = true", "write_metadatas = true", "write_metadatas"),
        ("storage.tf", "lifecycle_rule {", "lifecycle_rules {", "lifecycle_rules"),
        ("dataflow.tf", "var.stream_workers.max", "var.stream_workers.most", "most"),
        ("dataflow.tf", "provider = google-beta", "provider = google", "flex_template_job"),
        ("secrets.tf", "  replication {", "  labels {", "replication"),
    ],
)
def test_an_error_is_found(
    terraformed: Callable[..., Terraform], file: str, found: str, replaced: str, said: str
) -> None:
    """A wrong attribute, block, field or provider, or a missing block, makes the module invalid."""
    terraform = terraformed()
    text = (terraform.folder / file).read_text()
    assert found in text
    (terraform.folder / file).write_text(text.replace(found, replaced))
    ran = terraform.run("validate", "-no-color")
    assert not ran.succeeded
    assert said in ran.text


@in_one_process
@pytest.mark.parametrize(
    ("variables", "jobs"), [({"project": "my-project"}, 0), (PLANNED, 1)], ids=["bare", "whole"]
)
def test_the_first_apply_can_be_planned(
    terraformed: Callable[..., Terraform], variables: dict[str, Any], jobs: int
) -> None:
    """Nothing about how many resources there are waits for what only Google knows."""
    changes = terraformed().plan(**variables)["resource_changes"]
    assert sum(change["type"] == "google_dataflow_flex_template_job" for change in changes) == jobs
    assert sum(change["type"] == "google_cloud_scheduler_job" for change in changes) == jobs


@in_one_process
def test_every_example_is_a_variable(terraformed: Callable[..., Terraform]) -> None:
    """The commented example can be planned as it stands."""
    terraform = terraformed()
    ran = terraform.run("plan", "-no-color", "-var-file=example.tfvars")
    assert ran.succeeded, ran.text
    assert "undeclared" not in ran.text


@in_one_process
def test_every_parameter_of_the_stream_is_passed(everything_set: dict[str, Any]) -> None:
    """Every flag of the stream is a variable or comes of the module, and reaches the job."""
    passed = everything_set["google_dataflow_flex_template_job.stream[0]"]["parameters"]
    assert set(passed) == set(parameters_of("stream"))


@in_one_process
def test_every_parameter_of_the_backfill_is_passed(everything_set: dict[str, Any]) -> None:
    """Every flag of the backfill is a variable or comes of the module, and reaches the launch."""
    assert set(launch_of(everything_set)["parameters"]) == set(parameters_of("backfill"))


@in_one_process
def test_what_is_passed_is_what_the_templates_take(planned: dict[str, Any]) -> None:
    """Each value, as the module makes it, looks as its parameter must."""
    stream = planned["google_dataflow_flex_template_job.stream[0]"]["parameters"]
    backfill = launch_of(planned)["parameters"]
    for template, values in (("stream", stream), ("backfill", backfill)):
        parameters = parameters_of(template)
        for name, value in values.items():
            if "google_" not in value:  # A name that only Google knows.
                assert re.fullmatch(parameters[name]["regexes"][0], value), name
        required = {name for name, one in parameters.items() if not one["isOptional"]}
        assert required <= set(values)
    assert (backfill["from"], backfill["to"]) == ("9d", "1d")


@in_one_process
def test_the_backfill_finds_what_the_archive_writes(planned: dict[str, Any]) -> None:
    """The pattern that the backfill reads matches the names that Pub/Sub gives its files."""
    storage = planned["google_pubsub_subscription.archive"]["cloud_storage_config"][0]
    assert storage["avro_config"][0]["write_metadata"] is True
    at = datetime(2026, 11, 22, 23, 59, 7, tzinfo=UTC)
    fields = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "hh": "%H", "mm": "%M", "ss": "%S", "Z": "Z"}
    stamp = re.sub(
        "YYYY|MM|DD|hh|mm|ss|Z", lambda f: fields[f[0]], storage["filename_datetime_format"]
    )
    name = f"{storage['filename_prefix']}{at.strftime(stamp)}_0f1e2d{storage['filename_suffix']}"
    pattern = at.strftime(launch_of(planned)["parameters"]["input"])
    assert fnmatch.fnmatch(f"gs://{storage['bucket']}/{name}", pattern)


@in_one_process
def test_jobs_run_the_released_image(planned: dict[str, Any]) -> None:
    """Launch and workers are of one image and one tag, under the account of their own."""
    stream = planned["google_dataflow_flex_template_job.stream[0]"]
    launch = launch_of(planned)
    environment = launch["environment"]
    assert stream["sdk_container_image"] == environment["sdkContainerImage"]
    assert stream["sdk_container_image"].endswith("/undertone:0.1.0")
    assert stream["container_spec_gcs_path"].endswith("-templates/0.1.0/stream.json")
    assert launch["containerSpecGcsPath"].endswith("-templates/0.1.0/backfill.json")
    assert account_of(stream["service_account_email"]) == "stream"
    assert account_of(environment["serviceAccountEmail"]) == "backfill"


def test_tables_and_views_are_those_of_the_code() -> None:
    """The file is what `make generate` would write now."""
    assert tables.FILE.read_text() == encoded(tables.resources()), "run: make generate"


@in_one_process
def test_views_are_made_after_what_they_read(planned: dict[str, Any]) -> None:
    """A view waits for each table and view in its SQL, and holds that SQL over the dataset."""
    resources = tables.resources()["resource"]["google_bigquery_table"]
    for name in VIEWS:
        awaited = {one.rpartition(".")[2] for one in resources[name]["depends_on"]}
        assert awaited
        assert awaited <= {*VIEWS, *(table.name for table in TABLES)}
        (view,) = planned[f"google_bigquery_table.{name}"]["view"]
        dataset = "google_bigquery_dataset/undertone/project.undertone"
        assert view["query"] == view_sql(name, dataset)
        assert all(f"{dataset}.{one}`" in view["query"] for one in awaited)


@in_one_process
def test_a_view_is_never_replaced(
    terraformed: Callable[..., Terraform], planned: dict[str, Any]
) -> None:
    """A plan that would replace a view fails, because its access rights would go with it."""
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


@in_one_process
def test_tables_hold_the_columns_of_the_code(planned: dict[str, Any]) -> None:
    """Columns, partitions and clusters are the code's, and no table can be dropped by accident."""
    for table in TABLES:
        values = planned[f"google_bigquery_table.{table.name}"]
        assert json.loads(values["schema"]) == table.bigquery_schema()["fields"]
        assert values["clustering"] == list(table.cluster_by)
        partitions = [one["field"] for one in values["time_partitioning"]]
        assert partitions == ([table.partition_by] if table.partition_by else [])
        assert values["deletion_protection"] is True


@in_one_process
def test_accounts_have_only_these_rights_in_the_project(planned: dict[str, Any]) -> None:
    """No account has a right in the whole project but those that exist nowhere below it."""
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
    """Of all that may touch the bucket with text in it, one account reads, and Pub/Sub writes."""
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
    """Analysts read every other table and every view; dead letters have readers of their own."""
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
def test_the_key_is_the_senders_alone(planned: dict[str, Any]) -> None:
    """Only the sender's account reads the key that makes pseudonyms; no job can."""
    rights = [
        (account_of(member), role)
        for resource, _, role, member in grants_of(planned)
        if resource == "google_secret_manager_secret_iam_member"
    ]
    assert rights == [("pub", "roles/secretmanager.secretAccessor")]


@in_one_process
def test_buckets_are_closed(planned: dict[str, Any]) -> None:
    """No bucket can be made public, and what holds or held text is deleted in time."""
    for name, days in (("archive", 60), ("temp", 14), ("templates", None)):
        bucket = planned[f"google_storage_bucket.{name}"]
        assert bucket["public_access_prevention"] == "enforced"
        assert bucket["uniform_bucket_level_access"] is True
        ages = [rule["condition"][0]["age"] for rule in bucket["lifecycle_rule"]]
        assert ages == ([] if days is None else [days])


@in_one_process
def test_messages_can_be_sought_back(planned: dict[str, Any]) -> None:
    """The stream's subscription keeps what was acknowledged for a week, and never expires."""
    subscription = planned["google_pubsub_subscription.stream"]
    assert subscription["retain_acked_messages"] is True
    assert subscription["message_retention_duration"] == "604800s"
    assert subscription["expiration_policy"] == [{"ttl": ""}]
    schema = planned["google_pubsub_schema.event"]
    assert schema["definition"] == (ROOT / "schemas" / "conversation_event.proto").read_text()


@in_one_process
def test_dataflow_reads_a_subscription_without_policies(planned: dict[str, Any]) -> None:
    """Dead-letter and retry policies, which Dataflow does not support, are the archive's alone."""
    stream = planned["google_pubsub_subscription.stream"]
    archive = planned["google_pubsub_subscription.archive"]
    assert (stream["dead_letter_policy"], stream["retry_policy"]) == ([], [])
    assert archive["dead_letter_policy"][0]["max_delivery_attempts"] == 100
    assert archive["retry_policy"][0]["minimum_backoff"] == "10s"
    moved_from = [
        values["subscription"]
        for address, values in planned.items()
        if address.startswith("google_pubsub_subscription_iam_member.")
        and "google_project_service_identity/pubsub" in values["member"]
    ]
    assert moved_from == ["google_pubsub_subscription/undertone-archive/id"]


@in_one_process
def test_every_alert_has_its_page(planned: dict[str, Any]) -> None:
    """Each alert names a section of the runbook, and each such section is of an alert."""
    runbook = (ROOT / "deploy" / "runbook.md").read_text()
    headings = re.findall(r"^#+ (.+)$", runbook, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    named = {
        values["documentation"][0]["content"].rpartition("#")[2]
        for address, values in planned.items()
        if address.startswith("google_monitoring_alert_policy.")
    }
    assert len(named) == 10
    assert named == {anchor for anchor in anchors if anchor.startswith("alert-")}


@in_one_process
def test_an_outage_of_bigquery_wakes_somebody(planned: dict[str, Any]) -> None:
    """Alerts watch the rows that BigQuery took: while it is down, rows are still released."""
    alerts = planned_alerts(planned)
    assert "written_rows/ledger" in alerts["missing-rows"]["query"]
    assert "written_rows/aggregates" in alerts["publication-silence"]["query"]
    assert "job_data_watermark_age" in alerts["watermark-lag"]["query"]
    assert not any("rows_COUNT" in alert["query"] for alert in alerts.values())
    for name in ("missing-rows", "publication-silence", "watermark-lag"):
        assert alerts[name]["severity"] == "CRITICAL"


@in_one_process
def test_queries_name_counters_that_the_job_has(planned: dict[str, Any]) -> None:
    """Every counter in an alert or a chart is one that some step counts."""
    asked = json.dumps([v for a, v in planned.items() if a.startswith("google_monitoring_")])
    names = {*re.findall(r'metric_name=~?\\+"(.+?)\\+"', asked)}
    assert names
    code = "".join(
        path.read_text()
        for folder in ("transforms", "pipelines")
        for path in (ROOT / folder).rglob("*.py")
    )
    for name in names:
        for part in re.findall(r"[a-z_]{4,}", re.sub("_(COUNT|MEAN|MAX)$", "", name)):
            assert f'"{part}"' in code, part


@in_one_process
def test_the_dashboard_shows_every_chart(planned: dict[str, Any]) -> None:
    """The charts fill a grid of two columns without holes, each with a title and lines."""
    dashboard = json.loads(planned["google_monitoring_dashboard.undertone"]["dashboard_json"])
    tiles = dashboard["mosaicLayout"]["tiles"]
    places = {(tile["xPos"], tile["yPos"]) for tile in tiles}
    assert places == {(x, 4 * y) for x in (0, 6) for y in range(len(tiles) // 2)}
    for tile in tiles:
        assert tile["widget"]["title"]
        sets = tile["widget"]["xyChart"]["dataSets"]
        assert all(one["timeSeriesQuery"]["prometheusQuery"] for one in sets)
