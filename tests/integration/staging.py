"""Stages a job for Dataflow on this machine, and reads back what was staged.

An emulator replaces Cloud Storage. A launch also asks Google's servers for an access token, and
whether a job with a given name is running. A double of these servers answers both requests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from urllib.request import Request, urlopen

from apache_beam.portability.api import beam_runner_api_pb2 as proto
from gcp_storage_emulator.server import create_server

from deploy.local.processes import LOOPBACK, free_port

BUCKET: Final = "undertone-templates"
IMAGE: Final = "europe-west1-docker.pkg.dev/my-project/undertone/undertone:0.1.0"
JOB_NAME: Final = "undertone-stream"
JOB_ID: Final = "2026-11-22_03_00_00-1234567890"
"""Name and id of the only job that the double lists as running."""

PIPELINE: Final = "pipeline.pb"
"""Beam's name for the staged graph."""

_ROOT: Final = Path(__file__).parents[2]
_TIMEOUT_S: Final = 240

PRODUCTION: Final = (
    "--runner=DataflowRunner",
    "--project=my-project",
    "--region=europe-west1",
    "--dataset=my-project.undertone",
    f"--sdk_container_image={IMAGE}",
    "--sdk_location=container",
    "--service_account_email=worker@my-project.iam.gserviceaccount.com",
    "--machine_type=n2-standard-2",
    "--max_num_workers=4",
    "--no_use_public_ips",
    "--labels=app=undertone",
    "--labels=version=0-1-0",
    # Without this option, Beam stages a list of the local packages, including their paths.
    "--experiments=disable_logging_submission_environment",
)
"""The flags of a launch in production, except those for the place of staging."""


@dataclass(frozen=True)
class Staged:
    """The request and the files that a launch hands to Dataflow.

    Attributes:
      job: the job request, or the template of a job.
      pipeline: the graph that the workers load.
      files: the content of each staged file by its name, including the graph.
    """

    job: Mapping[str, Any]
    pipeline: proto.Pipeline
    files: Mapping[str, bytes]

    @property
    def environment(self) -> Mapping[str, Any]:
        """The settings in the job request that are meant for the Dataflow service."""
        environment: Mapping[str, Any] = self.job["environment"]
        return environment

    @property
    def options(self) -> Mapping[str, Any]:
        """The pipeline options that the workers see."""
        options: Mapping[str, Any] = self.environment["sdkPipelineOptions"]["options"]
        return options

    def request_bytes(self) -> int:
        """Returns the size of the job request in bytes."""
        return len(json.dumps(self.job).encode())


@dataclass(frozen=True)
class Cloud:
    """The emulator of Cloud Storage, and the double for Google's other services."""

    storage: str
    google_port: int

    @property
    def dataflow(self) -> str:
        """The double's host and port, in the form in which Beam takes Dataflow's address."""
        return f"http://localhost:{self.google_port}"

    def put(self, name: str, content: bytes) -> None:
        """Uploads an object into the emulator's bucket."""
        address = f"{self.storage}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name="
        with urlopen(Request(address + quote(name, ""), data=content, method="POST")):
            pass

    def stage(
        self, name: str, module: str, *flags: str, environment: Mapping[str, str] | None = None
    ) -> Staged:
        """Launches a module's job under this name, and reads back the files that it staged."""
        folder = f"gs://{BUCKET}/{name}"
        ran = self.launch(
            module, *flags,
            f"--staging_location={folder}/staging", f"--temp_location={folder}/temp",
            f"--template_location={folder}/template.json",
            environment=environment,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr[-2000:]
        files = {file.rpartition("/")[2]: self._get(file) for file in self._list(f"{name}/staging")}
        job = json.loads(self._get(f"{name}/template.json"))
        return Staged(job, proto.Pipeline.FromString(files[PIPELINE]), files)

    def launch(
        self, module: str, *flags: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a module in its own process, where the emulator and the double replace Google."""
        host = f"{LOOPBACK}:{self.google_port}"
        ours = {
            "STORAGE_EMULATOR_HOST": self.storage,
            "GCE_METADATA_HOST": host,
            "GCE_METADATA_IP": host,
            "PYTHONPATH": str(_ROOT),
            **(environment or {}),
        }
        command = [sys.executable, "-m", module, *flags]
        return subprocess.run(
            command, env={**os.environ, **ours}, cwd=_ROOT, capture_output=True, text=True,
            timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip

    def _list(self, prefix: str) -> list[str]:
        address = f"{self.storage}/storage/v1/b/{BUCKET}/o?prefix={quote(prefix, '')}"
        with urlopen(address) as answer:
            return [each["name"] for each in json.load(answer).get("items", [])]

    def _get(self, name: str) -> bytes:
        address = f"{self.storage}/storage/v1/b/{BUCKET}/o/{quote(name, '')}?alt=media"
        with urlopen(address) as answer:
            content: bytes = answer.read()
            return content


@contextmanager
def serving_cloud() -> Iterator[Cloud]:
    """Serves the emulator of Cloud Storage and the double of Google, each on a free port."""
    port = free_port()
    storage = create_server(LOOPBACK, port, in_memory=True, default_bucket=BUCKET)
    storage.start()
    google = ThreadingHTTPServer((LOOPBACK, 0), _Google)
    serving = threading.Thread(target=google.serve_forever, daemon=True)
    serving.start()
    try:
        yield Cloud(f"http://{LOOPBACK}:{port}", google.server_port)
    finally:
        google.shutdown()
        google.server_close()
        storage.stop()


class _Google(BaseHTTPRequestHandler):
    """Answers like a cloud machine's metadata server, and lists one running Dataflow job."""

    def do_GET(self) -> None:
        content = json.dumps(self._answer()).encode()
        self.send_response(200)
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class uses this name.
        del format, args  # The base class prints a line on standard error for every request.

    def _answer(self) -> Mapping[str, Any]:
        if "/token" in self.path:
            return {"access_token": "none", "expires_in": 3600, "token_type": "Bearer"}
        if "/service-accounts/" in self.path:
            # With an e-mail address here, Google's library would request regions from the internet.
            return {"email": "launcher", "scopes": []}
        if self.path.split("?")[0].endswith("/jobs"):
            job = {"id": JOB_ID, "name": JOB_NAME, "currentState": "JOB_STATE_RUNNING"}
            return {"jobs": [job]}
        return {}
