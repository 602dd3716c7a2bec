"""Tests that the Flex Templates' metadata matches the flags, and one image serves all."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.flex_main import main_of
from deploy.metadata import FOLDER, LEFT_OUT, TEMPLATES, Template, encoded, flags_of, metadata
from pipelines import backfill, judge, publish, stream
from tests.deploy.conftest import needs

EXAMPLES = {
    "alert_topic": "projects/my-project/topics/alerts",
    "dataset": "my-project.undertone",
    "dead_letter_topic": "projects/my-project/topics/dead-letters",
    "from": "7d",
    "input": "gs://bucket/events/%Y/%m/%d/*.avro",
    "judge": "accurate",
    "judge_key": "projects/my-project/secrets/undertone-judge-key/versions/1",
    "llm_model": "gpt-oss-20b",
    "llm_url": "https://llm.example.com/v1",
    "max_cost": "5",
    "outage": "10m",
    "rates": "gs://my-bucket/rates.json",
    "requests_per_minute": "30",
    "secret": "projects/my-project/secrets/undertone-id-key/versions/1",
    "subscription": "projects/my-project/subscriptions/stream",
    "timestamp_attribute": "sent-at-ms",
    "to": "2026-11-22",
    "values": "platform=web,ios;country=DE",
}
"""A value for each parameter without a default."""

each_template = pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)


def parameters_of(template: Template) -> dict[str, dict[str, Any]]:
    """Returns the parameters in a template's file, by name."""
    written = json.loads((FOLDER / f"{template.name}.json").read_text())
    return {parameter["name"]: parameter for parameter in written["parameters"]}


@each_template
def test_the_metadata_is_up_to_date(template: Template) -> None:
    """`make generate` would write the same metadata file now."""
    file = FOLDER / f"{template.name}.json"
    assert file.read_text() == encoded(metadata(template)), "run: make generate"


@each_template
def test_every_flag_is_a_parameter_or_left_out_for_a_reason(template: Template) -> None:
    """Each flag is either a parameter or in `LEFT_OUT` with a reason, and every name is a flag."""
    left_out = LEFT_OUT[template.name]
    assert {*parameters_of(template), *left_out} == {*flags_of(template.parser)}
    assert not {*parameters_of(template)} & {*left_out}
    assert all(left_out.values())


@each_template
def test_the_program_takes_every_parameter_of_its_template(template: Template) -> None:
    """The parser reads each parameter as the launcher passes it, and the defaults are the same."""
    parameters = parameters_of(template).items()
    values = {name: one.get("defaultValue") or EXAMPLES[name] for name, one in parameters}
    for name, parameter in parameters:
        assert all(re.fullmatch(regex, values[name]) for regex in parameter["regexes"]), name
    read = vars(template.parser.parse_args([f"--{name}={value}" for name, value in values.items()]))
    flags = flags_of(template.parser)
    defaults = {name: flags[name].default for name, one in parameters if "defaultValue" in one}
    assert {name: read[flags[name].dest] for name in defaults} == defaults


@each_template
def test_a_parameter_is_required_if_its_flag_is(template: Template) -> None:
    """Dataflow requires exactly the parameters that the program requires."""
    flags = flags_of(template.parser)
    for name, parameter in parameters_of(template).items():
        assert parameter["isOptional"] is not flags[name].required


def test_a_flag_can_be_passed_as_a_template_passes_it() -> None:
    """A switch also takes true or false. Several patterns may be one value, separated by commas."""
    required = [
        "--from=7d", "--to=1d", "--dataset=p.d", "--input=gs://a/*.avro,gs://b/*.avro",
        "--secret=file",
    ]  # fmt: skip
    for flags, expected in ([], False), (["--resume"], True), (["--resume=false"], False):
        read = backfill.parser().parse_args([*required, *flags])
        assert read.resume is expected
        assert read.input == ["gs://a/*.avro", "gs://b/*.avro"]


def test_an_unknown_kind_of_flag_is_refused() -> None:
    """A flag without a pattern is an error, because its parameter would accept any text."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", type=complex)
    with pytest.raises(ValueError, match=r"--share has no pattern \(its type is complex\); add"):
        metadata(Template("stream", "", parser, streaming=True))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--subscription=projects/p/subscriptions/s", "--dataset=p.d"], stream.main),
        (["--runner", "DataflowRunner", "--subscription", "s"], stream.main),
        (["--dataset=p.d", "--input=gs://b/subscription/*.avro"], backfill.main),
        (["--dataset=p.d", "--input=gs://b/*.avro", "--judge=accurate"], judge.main),
        (["--dataset=p.d", "--days=40"], publish.main),
    ],
)
def test_a_launch_runs_the_main_of_its_template(flags: list[str], expected: object) -> None:
    """A subscription starts the stream, a judge the judging, files the backfill, else publish."""
    assert main_of(flags) is expected


@each_template
def test_gcloud_takes_the_metadata(template: Template, tmp_path: Path) -> None:
    """The Google Cloud CLI puts every parameter of the file into the template it would upload."""
    command = [
        needs("gcloud"), "dataflow", "flex-template", "build", "gs://bucket/template.json",
        "--image=image:tag", f"--metadata-file={FOLDER / template.name}.json",
        "--sdk-language=PYTHON", "--project=my-project", "--print-only",
    ]  # fmt: skip
    environment = {**os.environ, "CLOUDSDK_CONFIG": str(tmp_path)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout + done.stderr  # Some versions print to one, some to the other.
    specification = json.loads(printed[printed.index("{") : printed.rindex("}") + 1])
    written = specification["metadata"]["parameters"]
    assert {p["name"]: p.get("paramType") for p in written} == {
        name: parameter["paramType"] for name, parameter in parameters_of(template).items()
    }
