"""Tests that the Terraform module is valid and complete, and passes all parameters to jobs."""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from deploy.metadata import FOLDER
from tests.deploy.conftest import PLANNED, ROOT, Terraform, needs
from tests.deploy.plans import account_of, in_one_process, launch_of

MODULE: Final = ROOT / "deploy" / "terraform"


def parameters_of(template: str) -> dict[str, dict[str, Any]]:
    """Returns the parameters in a template's metadata, by name."""
    written = json.loads((FOLDER / f"{template}.json").read_text())
    return {parameter["name"]: parameter for parameter in written["parameters"]}


@pytest.fixture(scope="session")
def everything_set(terraformed: Callable[..., Terraform]) -> dict[str, Any]:
    """Returns the planned resources when the variable of every flag has a value."""
    text = (MODULE / "variables.tf").read_text()
    variables: dict[str, Any] = dict(PLANNED)
    for name in ("counting", "stream", "backfill", "judging", "publishing"):
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
    """Terraform and the providers know every block, attribute and reference."""
    ran = terraformed().run("validate", "-no-color")
    assert ran.succeeded, ran.text


@in_one_process
@pytest.mark.parametrize(
    ("file", "found", "replaced", "named"),
    [
        ("pubsub.tf", "write_metadata = true", "write_metadatas = true", "write_metadatas"),
        ("storage.tf", "lifecycle_rule {", "lifecycle_rules {", "lifecycle_rules"),
        ("dataflow.tf", "var.stream_workers.max", "var.stream_workers.most", "most"),
        ("dataflow.tf", "provider = google-beta", "provider = google", "flex_template_job"),
        ("secrets.tf", "  replication {", "  labels {", "replication"),
    ],
)
def test_an_error_is_found(
    terraformed: Callable[..., Terraform], file: str, found: str, replaced: str, named: str
) -> None:
    """A wrong attribute, block, field or provider, or a missing block, makes a module invalid."""
    terraform = terraformed()
    text = (terraform.folder / file).read_text()
    assert found in text
    (terraform.folder / file).write_text(text.replace(found, replaced))
    ran = terraform.run("validate", "-no-color")
    assert not ran.succeeded
    assert named in ran.text


@in_one_process
@pytest.mark.parametrize(
    ("variables", "streams", "schedules"),
    [({"project": "my-project"}, 0, 0), (PLANNED, 1, 3)],
    ids=["bare", "whole"],
)
def test_the_first_apply_can_be_planned(
    terraformed: Callable[..., Terraform], variables: dict[str, Any], streams: int, schedules: int
) -> None:
    """The number of resources does not depend on values that only Google knows."""
    changes = terraformed().plan(**variables)["resource_changes"]
    kinds = Counter(change["type"] for change in changes)
    assert kinds["google_dataflow_flex_template_job"] == streams
    assert kinds["google_cloud_scheduler_job"] == schedules


@in_one_process
def test_the_example_can_be_planned(terraformed: Callable[..., Terraform]) -> None:
    """Every name in the example is a variable, and Terraform plans it as written."""
    terraform = terraformed()
    ran = terraform.run("plan", "-no-color", "-var-file=example.tfvars")
    assert ran.succeeded, ran.text
    assert "undeclared" not in ran.text


@in_one_process
def test_every_parameter_of_the_stream_is_passed(everything_set: dict[str, Any]) -> None:
    """Every flag of the stream reaches the job, from a variable or from the module."""
    passed = everything_set["google_dataflow_flex_template_job.stream[0]"]["parameters"]
    assert set(passed) == set(parameters_of("stream"))


@in_one_process
@pytest.mark.parametrize("job", ["backfill", "judge", "publish"])
def test_every_parameter_of_a_launch_is_passed(everything_set: dict[str, Any], job: str) -> None:
    """Every flag of a scheduled job reaches the launch, from a variable or from the module."""
    assert set(launch_of(everything_set, job)["parameters"]) == set(parameters_of(job))


@in_one_process
def test_passed_values_match_their_parameters(planned: dict[str, Any]) -> None:
    """Each value that the module passes matches its parameter's pattern."""
    stream = planned["google_dataflow_flex_template_job.stream[0]"]["parameters"]
    backfill = launch_of(planned, "backfill")["parameters"]
    launched = {job: launch_of(planned, job)["parameters"] for job in ("judge", "publish")}
    for template, values in {"stream": stream, "backfill": backfill, **launched}.items():
        parameters = parameters_of(template)
        for name, value in values.items():
            if "google_" not in value:  # Otherwise the test made up the name.
                assert re.fullmatch(parameters[name]["regexes"][0], value), name
        required = {name for name, one in parameters.items() if not one["isOptional"]}
        assert required <= set(values)
    assert (backfill["from"], backfill["to"]) == ("9d", "1d")
    assert backfill["secret"] == stream["secret"]
    assert stream["secret"].endswith("/undertone-id-key/id/versions/1")


@in_one_process
def test_the_backfill_finds_what_the_archive_writes(planned: dict[str, Any]) -> None:
    """The backfill's pattern matches the file names that Pub/Sub writes."""
    storage = planned["google_pubsub_subscription.archive"]["cloud_storage_config"][0]
    assert storage["avro_config"][0]["write_metadata"] is True
    at = datetime(2026, 11, 22, 23, 59, 7, tzinfo=UTC)
    fields = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "hh": "%H", "mm": "%M", "ss": "%S", "Z": "Z"}
    stamp = re.sub(
        "YYYY|MM|DD|hh|mm|ss|Z", lambda f: fields[f[0]], storage["filename_datetime_format"]
    )
    name = f"{storage['filename_prefix']}{at.strftime(stamp)}_0f1e2d{storage['filename_suffix']}"
    pattern = at.strftime(launch_of(planned, "backfill")["parameters"]["input"])
    assert fnmatch.fnmatch(f"gs://{storage['bucket']}/{name}", pattern)


@in_one_process
def test_jobs_run_the_released_image(planned: dict[str, Any]) -> None:
    """All jobs use one image and one tag, each under its own account."""
    stream = planned["google_dataflow_flex_template_job.stream[0]"]
    assert stream["sdk_container_image"].endswith("/undertone:0.1.0")
    assert stream["container_spec_gcs_path"].endswith("-templates/0.1.0/stream.json")
    assert account_of(stream["service_account_email"]) == "stream"
    for job in ("backfill", "judge", "publish"):
        launch = launch_of(planned, job)
        assert launch["environment"]["sdkContainerImage"] == stream["sdk_container_image"]
        assert launch["containerSpecGcsPath"].endswith(f"-templates/0.1.0/{job}.json")
        assert account_of(launch["environment"]["serviceAccountEmail"]) == job


@in_one_process
@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"keep_days": {"bases": 89}}, "a correction compares counts with bases"),
        ({"archive_days": 91}, "no day expires before it is published"),
        ({"publishing": {"days": 91}}, "no day expires before it is published"),
        ({"judging": {"days": 61}}, "no day expires before it is judged"),
        ({"keep_days": {"sample": 39}}, "no judgement expires before it is published"),
        ({"dataset": "my-dataset"}, "letters, digits and underscores"),
    ],
)
def test_a_wrong_variable_is_refused(
    terraformed: Callable[..., Terraform], variables: dict[str, Any], said: str
) -> None:
    """Rows expire only after everything that needs them, and a dataset has a valid name."""
    terraform = terraformed()
    terraform.write_variables(PLANNED | variables)
    ran = terraform.run("plan", "-no-color", "-refresh=false", "-var-file=test.tfvars.json")
    assert not ran.succeeded
    assert said in " ".join(ran.text.replace("│", "").split())


@in_one_process
def test_messages_can_be_sought_back(planned: dict[str, Any]) -> None:
    """The stream's subscription never expires, and keeps acknowledged messages for a week."""
    subscription = planned["google_pubsub_subscription.stream"]
    assert subscription["retain_acked_messages"] is True
    assert subscription["message_retention_duration"] == "604800s"
    assert subscription["expiration_policy"] == [{"ttl": ""}]
    schema = planned["google_pubsub_schema.event"]
    assert schema["definition"] == (ROOT / "schemas" / "conversation_event.proto").read_text()


@in_one_process
def test_dataflow_reads_a_subscription_without_policies(planned: dict[str, Any]) -> None:
    """Dataflow supports neither dead-letter nor retry policies, so only the archive has them."""
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
def test_a_new_key_begins_without_state(planned: dict[str, Any]) -> None:
    """A stream is replaced if its key changes, because its state has hashes of the old key."""
    assert planned["terraform_data.id_key_version"]["input"] == 1
    text = (MODULE / "dataflow.tf").read_text()
    assert "replace_triggered_by = [terraform_data.id_key_version]" in text
    stream = planned["google_dataflow_flex_template_job.stream[0]"]
    assert stream["on_delete"] == "drain"
