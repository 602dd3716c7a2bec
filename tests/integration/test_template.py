"""Both jobs compile into Dataflow templates, offline, against a Cloud Storage emulator."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from gcp_storage_emulator.server import create_server

from tests.builders import avro_event
from tests.schemas.payloads import write_avro

BUCKET = "undertone-templates"


@pytest.fixture
def storage() -> Iterator[str]:
    """Serves Cloud Storage from memory on a free port; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = create_server("127.0.0.1", port, in_memory=True, default_bucket=BUCKET)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


def compile_template(storage: str, module: str, *flags: str) -> dict[str, object]:
    """Runs a main with the Dataflow runner and a template location; returns the job it staged."""
    template = f"gs://{BUCKET}/templates/{module}.json"
    command = [
        sys.executable, "-m", module, *flags,
        "--dataset=my-project.undertone", "--runner=DataflowRunner", "--project=my-project",
        "--region=europe-west1", f"--temp_location=gs://{BUCKET}/temp",
        f"--staging_location=gs://{BUCKET}/staging", f"--template_location={template}",
        "--no_auth", "--sdk_location=container",
    ]  # fmt: skip
    environment = {**os.environ, "STORAGE_EMULATOR_HOST": storage, "PYTHONPATH": os.getcwd()}
    ran = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    name = f"templates%2F{module}.json"
    with urlopen(Request(f"{storage}/storage/v1/b/{BUCKET}/o/{name}?alt=media")) as answer:
        job: dict[str, object] = json.load(answer)
    return job


def test_the_stream_compiles(storage: str) -> None:
    """The streaming job becomes a template of a streaming job."""
    subscription = "--subscription=projects/my-project/subscriptions/events"
    job = compile_template(storage, "pipelines.stream", subscription)
    assert job["type"] == "JOB_TYPE_STREAMING"


def test_the_backfill_compiles(storage: str, tmp_path: Path) -> None:
    """The backfill becomes a template of a batch job."""
    archive = write_avro(tmp_path / "events.avro", [avro_event()])
    job = compile_template(storage, "pipelines.backfill", f"--input={archive}")
    assert job["type"] == "JOB_TYPE_BATCH"
