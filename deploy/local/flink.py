"""A Flink session cluster on one machine, as separate processes, with Beam's job server on it.

Flink has the true watermark, the checkpoints and the exactly-once state that Beam's in-process
runner has not. Pub/Sub is read by Beam's Java source, in the task manager: it acknowledges the
messages of a checkpoint when just that checkpoint is complete. A Python source that acknowledges on
bundle finalisation was tried beside it; there Flink finalises every bundle at any checkpoint, so it
must wait for a second one, was a third as fast, and its state grew while idle.

Beam's job server and worker pool listen on all interfaces: not for a network that is not yours.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from deploy.local.cloud import LocalCloud
from deploy.local.processes import LOOPBACK, Process, ServiceError, alone, answers, free_port

FLINK: Final = "flink"
JOB_NAME: Final = "undertone"
RUNNER_VERSION: Final = "2.62.0"
"""Of Beam's Java side, as the jar has it."""
MAX_PARALLELISM: Final = 8
"""Fixed, because state can only be restored under the one that it was written with."""

_POM: Final = Path(__file__).with_name("flink_jar") / "pom.xml"
_START_S: Final = 120.0
_CHECKPOINT_MS: Final = 2000
_SLOTS: Final = 4
_OPENED: Final = (
    "java.lang", "java.net", "java.io", "java.nio", "sun.nio.ch", "java.lang.reflect", "java.text",
    "java.time", "java.util", "java.util.concurrent", "java.util.concurrent.atomic",
    "java.util.concurrent.locks",
)  # fmt: skip
"""Packages of the JDK that Flink's serializers look into."""
_CLUSTER: Final = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER: Final = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_JOB_SERVER: Final = "org.apache.beam.runners.flink.FlinkJobServerDriver"
_EXPANSION: Final = "org.apache.beam.sdk.expansion.service.ExpansionService"
_NO_CREDENTIALS: Final = "org.apache.beam.sdk.extensions.gcp.auth.NoopCredentialFactory"


class FlinkCluster:
    """One job manager, one task manager, Beam's job server, expansion service and worker pool."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._jar = jar()
        self._rest, self._rpc = free_port(), free_port()
        self._job_port, self._artifacts, self._expansion = free_port(), free_port(), free_port()
        self._pool_port = free_port()
        self._checkpoints = folder / "checkpoints"
        for path in (self._checkpoints, folder / "tmp"):
            path.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(self._config())
        self.processes: dict[str, Process] = {}

    def start(self) -> None:
        """Starts all processes that do not run, and waits until the cluster takes jobs."""
        for name, command in self._commands().items():
            if name not in self.processes or not self.processes[name].is_running:
                # The pool starts plain `python`, which must be this one.
                path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
                log = self.folder / f"{name.replace(' ', '_')}.log"
                self.processes[name] = Process(name, command, log, {"PATH": path})
        self.processes["job manager"].wait_until(lambda: self._slots() >= _SLOTS, _START_S)
        for name, port in (
            ("job server", self._job_port),
            ("expansion service", self._expansion),
            ("worker pool", self._pool_port),
        ):
            self.processes[name].wait_until(lambda port=port: answers(port), _START_S)  # type: ignore[misc]

    def stop(self) -> None:
        """Ends all processes."""
        for process in self.processes.values():
            process.kill()
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)

    def stream(
        self,
        cloud: LocalCloud,
        settings: Sequence[str],
        *,
        bigquery_url: str = "",
        resume_from: Path | None = None,
    ) -> Process:
        """Submits the streaming job, and waits until all its tasks run.

        Args:
          cloud: that it reads and writes.
          settings: flags of `pipelines.stream`.
          bigquery_url: another endpoint than the cloud's.
          resume_from: checkpoint whose state the job takes over.
        """
        command = [sys.executable, "-m", "pipelines.stream"]
        arguments = cloud.job_arguments(settings, bigquery_url)
        log = cloud.folder / "job.log"
        return self.submit([*command, *arguments], log, cloud.pubsub_host, resume_from=resume_from)

    def submit(
        self,
        command: Sequence[str],
        log: Path,
        pubsub_host: str,
        *,
        resume_from: Path | None = None,
    ) -> Process:
        """Submits a streaming job, and waits until all its tasks run.

        Args:
          command: that builds the job, with its own flags; the runner's are added.
          log: file that takes what it prints.
          pubsub_host: where Pub/Sub listens.
          resume_from: checkpoint whose state the job takes over.
        """
        before = self._ids()
        flags = [
            "--runner=PortableRunner",
            f"--job_endpoint={LOOPBACK}:{self._job_port}",
            f"--artifact_endpoint={LOOPBACK}:{self._artifacts}",
            "--environment_type=EXTERNAL",
            f"--environment_config={LOOPBACK}:{self._pool_port}",
            f"--job_name={JOB_NAME}",
            f"--checkpointing_interval={_CHECKPOINT_MS}",
            # Without it what a bundle gave stays in state until the operator's next bundle.
            "--finish_bundle_before_checkpointing",
            "--externalized_checkpoints_enabled",
            "--retain_externalized_checkpoints_on_cancellation",
            "--number_of_execution_retries=1000",
            "--execution_retry_delay=1000",
            "--parallelism=2",
            f"--max_parallelism={MAX_PARALLELISM}",
            "--sdk_worker_parallelism=1",
            "--experiments=use_deprecated_read",
            # A newer Python SDK shuffles windowed values in a form that this runner can't read.
            f"--update_compatibility_version={RUNNER_VERSION}",
            f"--java_pubsub_url=http://{pubsub_host}",
            f"--java_credentials={_NO_CREDENTIALS}",
            f"--expansion_service={LOOPBACK}:{self._expansion}",
        ]
        if resume_from is not None:
            flags.append(f"--savepoint_path=file://{resume_from}")
        process = Process("the streaming job", [*command, *flags], log)
        process.wait_until(
            lambda: any(
                self._is_whole(job["id"]) for job in self._jobs() if job["id"] not in before
            ),
            _START_S,
        )
        return process

    def cancel(self) -> None:
        """Cancels whatever runs, keeping the checkpoints, and waits until it has ended."""
        for job in self._jobs():
            if job["status"] in ("RUNNING", "RESTARTING", "CREATED"):
                self._ask(f"/jobs/{job['id']}?mode=cancel", method="PATCH")
        deadline_s = time.monotonic() + _START_S
        while any(job["status"] in ("RUNNING", "CANCELLING") for job in self._jobs()):
            if time.monotonic() > deadline_s:
                raise ServiceError("Flink does not end its job")
            time.sleep(0.2)

    def newest_checkpoint(self) -> Path:
        """Returns the folder of the last complete checkpoint of any job."""
        complete = self._checkpoints.glob("*/chk-*/_metadata")
        return max(complete, key=lambda path: path.stat().st_mtime).parent

    def workers(self) -> list[int]:
        """Returns the ids of the Python worker processes that the pool started."""
        pool = self.processes["worker pool"].pid
        found = subprocess.run(
            ["pgrep", "--parent", str(pool), "--runstates", "R,S,D"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return [int(line) for line in found.stdout.split()]

    def _is_whole(self, job: str) -> bool:
        vertices = self._ask(f"/jobs/{job}")["vertices"]
        return all(vertex["status"] == "RUNNING" for vertex in vertices)

    def _jobs(self) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = self._ask("/jobs")["jobs"]
        return jobs

    def _ids(self) -> set[str]:
        return {job["id"] for job in self._jobs()}

    def _slots(self) -> int:
        try:
            return int(self._ask("/overview")["slots-total"])
        except OSError:
            return 0

    def _ask(self, path: str, method: str = "GET") -> dict[str, Any]:
        request = urllib.request.Request(f"http://{LOOPBACK}:{self._rest}{path}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            said: dict[str, Any] = json.loads(answer.read() or b"{}")
            return said

    def _commands(self) -> dict[str, list[str]]:
        java = [
            "java", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENED),
            "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
        ]  # fmt: skip
        run = ["-cp", str(self._jar)]
        config = ["--configDir", str(self.folder)]
        return {
            "job manager": [
                *java, "-Xmx512m", *run, _CLUSTER, *config, "--executionMode", "cluster",
            ],
            "task manager": [
                *java, "-Xmx768m", "-XX:MaxDirectMemorySize=256m", *run, _TASK_MANAGER, *config,
            ],
            "job server": [
                *java, "-Xmx256m", *run, _JOB_SERVER, f"--flink-master={LOOPBACK}:{self._rest}",
                f"--flink-conf-dir={self.folder}", f"--job-host={LOOPBACK}",
                f"--job-port={self._job_port}", f"--artifact-port={self._artifacts}",
                "--expansion-port=0", f"--artifacts-dir={self.folder / 'artifacts'}",
            ],
            "expansion service": [
                *java, "-Xmx256m", *run, _EXPANSION, str(self._expansion),
                "--javaClassLookupAllowlistFile=*", "--defaultEnvironmentType=EMBEDDED",
                "--experiments=use_deprecated_read",
            ],
            "worker pool": [
                sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main",
                f"--service_port={self._pool_port}",
            ],
        }  # fmt: skip

    def _config(self) -> str:
        settings = {
            "jobmanager.rpc.address": LOOPBACK,
            "jobmanager.rpc.port": self._rpc,
            "jobmanager.bind-host": LOOPBACK,
            "jobmanager.memory.process.size": "640m",
            "rest.address": LOOPBACK,
            "rest.bind-address": LOOPBACK,
            "rest.port": self._rest,
            "rest.bind-port": self._rest,
            "taskmanager.bind-host": LOOPBACK,
            "taskmanager.host": LOOPBACK,
            "taskmanager.numberOfTaskSlots": _SLOTS,
            # A task manager that is started by hand must be told every part of its memory.
            "taskmanager.cpu.cores": 1.0,
            "taskmanager.memory.framework.heap.size": "64m",
            "taskmanager.memory.framework.off-heap.size": "64m",
            "taskmanager.memory.task.heap.size": "640m",
            "taskmanager.memory.task.off-heap.size": "64m",
            "taskmanager.memory.managed.size": "32m",
            "taskmanager.memory.network.min": "64m",
            "taskmanager.memory.network.max": "64m",
            "taskmanager.memory.jvm-metaspace.size": "192m",
            "taskmanager.memory.jvm-overhead.min": "64m",
            "taskmanager.memory.jvm-overhead.max": "64m",
            "classloader.resolve-order": "parent-first",
            "classloader.check-leaked-classloader": "false",
            "state.backend.type": "hashmap",
            "state.checkpoint-storage": "filesystem",
            "state.checkpoints.dir": f"file://{self._checkpoints}",
            "state.checkpoints.num-retained": 2,
            # A process that is gone is missed within seconds.
            "heartbeat.interval": 1000,
            "heartbeat.timeout": 10000,
            "heartbeat.rpc-failure-threshold": 2,
            "io.tmp.dirs": str(self.folder / "tmp"),
        }
        return "".join(f"{key}: {value}\n" for key, value in settings.items())


@contextmanager
def flink_cluster(folder: Path) -> Iterator[FlinkCluster]:
    """Runs a cluster; its logs and checkpoints lie in the folder.

    Raises:
      ServiceError: Java or Maven is missing, or a process does not start.
    """
    cluster = FlinkCluster(folder.resolve())
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def jar() -> Path:
    """Returns Flink and Beam's runner as one jar, built by Maven where it is missing or outdated.

    Raises:
      ServiceError: Java or Maven is missing, or a package can't be had.
    """
    for program, what in (("java", "Java 17"), ("mvn", "Apache Maven")):
        if shutil.which(program) is None:
            raise ServiceError(
                f"{what} is missing, which the local Flink cluster needs; install it"
            )
    version = hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]
    folder = Path(__file__).parents[2] / ".flink" / version
    built = folder / "undertone-flink.jar"
    with alone(folder):
        _build(folder, built)
    return built


def _build(folder: Path, built: Path) -> None:
    if not built.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        command = ["mvn", "-B", "-q", "-f", str(_POM), f"-Dtarget={folder}.part", "package"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = [line for line in done.stdout.splitlines() if "ERROR" in line][:1]
            raise ServiceError(f"Maven can't build the Flink jar: {' '.join(last)}")
        os.rename(f"{folder}.part", folder)
