"""A Flink session cluster on one machine, as separate processes, with Beam's job server.

There is one job manager and any number of task managers, so a task manager can die and come back
while the others work. Each task manager represents a host: it has its own loopback address, folder,
log and pool of Python workers. The task managers can't share one pool. Each of them numbers its
workers from one, so the first to finish would end a worker of a different task manager.

Unlike Beam's in-process runner, Flink has a true watermark, checkpoints and exactly-once state.
Beam's Java source reads Pub/Sub in the task manager. It acknowledges a checkpoint's messages as
soon as that checkpoint is complete. A Python source that acknowledges on bundle finalisation was
tried too. Flink finalises every bundle at any checkpoint, so the Python source had to wait for a
second checkpoint. It was a third as fast as the Java source, and its state grew while idle.

Beam's job server listens on all interfaces, so do not run the cluster on a network that you do not
control.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from deploy.local.cloud import LocalCloud
from deploy.local.flink_build import jar
from deploy.local.flink_config import RETRIES, config_of
from deploy.local.processes import LOOPBACK, Process, ServiceError, answers, free_port

FLINK: Final = "flink"
JOB_NAME: Final = "undertone"
RUNNER_VERSION: Final = "2.62.0"
"""The version of Beam's Java libraries in the jar."""
MAX_PARALLELISM: Final = 8
"""Fixed, because state can be restored only with the same value."""
START_S: Final = 120.0
"""A process or job counts as failed if it has not started within this time."""

_CHECKPOINT_MS: Final = 2000
_SLOTS: Final = 4
_RETRY_MS: Final = 1000
_POOL_HOST: Final = "worker-pool"
"""Each task manager looks up its own pool by this name, because a job has only one address."""
_POLL_S: Final = 0.2
_OPENED: Final = (
    "java.lang", "java.net", "java.io", "java.nio", "sun.nio.ch", "java.lang.reflect", "java.text",
    "java.time", "java.util", "java.util.concurrent", "java.util.concurrent.atomic",
    "java.util.concurrent.locks",
)  # fmt: skip
"""JDK packages that Flink's serializers must be able to access."""
_CLUSTER: Final = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER: Final = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_JOB_SERVER: Final = "org.apache.beam.runners.flink.FlinkJobServerDriver"
_EXPANSION: Final = "org.apache.beam.sdk.expansion.service.ExpansionService"
_NO_CREDENTIALS: Final = "org.apache.beam.sdk.extensions.gcp.auth.NoopCredentialFactory"


class TaskManager(NamedTuple):
    """A task manager of the cluster; task managers are numbered from one."""

    number: int

    @property
    def name(self) -> str:
        """Name of the task manager's process."""
        return _numbered("task manager", self.number)

    @property
    def pool(self) -> str:
        """Name of the process that starts the task manager's workers."""
        return _numbered("worker pool", self.number)

    @property
    def address(self) -> str:
        """The address on which the task manager and its pool listen.

        Linux has all these loopback addresses. On macOS, add every address except the first to the
        loopback interface.
        """
        return f"127.0.0.{self.number}"

    def hosts(self) -> str:
        """Returns the hosts file's text; the task manager looks up names nowhere else."""
        names = f"localhost {socket.gethostname()}"
        return f"{LOOPBACK} {names}\n{self.address} {_POOL_HOST}\n"


class FlinkCluster:
    """A job manager, task managers, Beam's job server, expansion service and worker pools.

    The processes are in `processes`, by name. The task managers are "task manager", "task manager
    2" and so on; their pools are "worker pool", "worker pool 2" and so on. `start` restarts killed
    processes.

    Args:
      folder: folder for configuration, logs, checkpoints and temporary files.
      task_managers: number of task managers.
      slots: number of slots per task manager.
    """

    def __init__(self, folder: Path, task_managers: int = 1, slots: int = _SLOTS) -> None:
        self.folder = folder
        self._task_managers = [TaskManager(number + 1) for number in range(task_managers)]
        self._slots_each = slots
        self._jar = jar()
        self._rest, self._rpc = free_port(), free_port()
        self._job_port, self._artifacts, self._expansion = free_port(), free_port(), free_port()
        self._pool_port = free_port()
        self._checkpoints = folder / "checkpoints"
        for path in (self._checkpoints, *map(self._tmp, ("job manager", *self.names()))):
            path.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(
            config_of(self._rest, self._rpc, slots, self._checkpoints, self._tmp("job manager"))
        )
        for host in self._task_managers:
            (self._tmp(host.name) / "hosts").write_text(host.hosts())
        self.processes: dict[str, Process] = {}

    @property
    def task_managers(self) -> int:
        """The number of task managers, including those that do not run now."""
        return len(self._task_managers)

    def start(self) -> None:
        """Starts all processes that are not running, and waits until the cluster accepts jobs."""
        for name, command in self._commands().items():
            if name not in self.processes or not self.processes[name].is_running:
                # The pool starts plain `python`. With this path, that is the Python that runs us.
                path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
                log = self.folder / f"{file_name(name)}.log"
                self.processes[name] = Process(name, command, log, {"PATH": path})
        slots = len(self._task_managers) * self._slots_each
        self.processes["job manager"].wait_until(lambda: self._slots() >= slots, START_S)
        for name, host, port in (
            ("job server", LOOPBACK, self._job_port),
            ("expansion service", LOOPBACK, self._expansion),
            *((each.pool, each.address, self._pool_port) for each in self._task_managers),
        ):
            self.processes[name].wait_until(partial(answers, port, host), START_S)

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
          cloud: the cloud that the job reads from and writes to.
          settings: flags of `pipelines.stream`.
          bigquery_url: endpoint of BigQuery, if the job should not use the cloud's endpoint.
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
          command: the command that builds the job, with the job's flags. The runner's flags are
              added.
          log: file for the command's output.
          pubsub_host: host and port of Pub/Sub.
          resume_from: checkpoint whose state the job takes over.
        """
        before = self.ids()
        flags = [
            *self.runner_flags(),
            f"--checkpointing_interval={_CHECKPOINT_MS}",
            # Without this flag, a bundle's output stays in state until the operator's next bundle.
            "--finish_bundle_before_checkpointing",
            "--externalized_checkpoints_enabled",
            "--retain_externalized_checkpoints_on_cancellation",
            f"--number_of_execution_retries={RETRIES}",
            f"--execution_retry_delay={_RETRY_MS}",
            "--parallelism=2",
            f"--max_parallelism={MAX_PARALLELISM}",
            "--experiments=use_deprecated_read",
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
            START_S,
        )
        return process

    def cancel(self) -> None:
        """Cancels all running jobs but keeps their checkpoints; waits until the jobs have ended."""
        for job in self._jobs():
            if job["status"] in ("RUNNING", "RESTARTING", "CREATED"):
                self.ask(f"/jobs/{job['id']}?mode=cancel", method="PATCH")
        deadline_s = time.monotonic() + START_S
        while any(job["status"] in ("RUNNING", "CANCELLING") for job in self._jobs()):
            if time.monotonic() > deadline_s:
                raise ServiceError(
                    f"Flink has not ended its job after {START_S:.0f} s; see {self.folder}"
                )
            time.sleep(_POLL_S)

    def await_acknowledged(self) -> None:
        """Waits until the running job has acknowledged all messages that it has read by now.

        A checkpoint's messages are acknowledged when it is complete. A running checkpoint may have
        begun too early, the next one holds all messages, and the one after that begins only when
        they are acknowledged.

        Raises:
          ServiceError: if the job makes too few checkpoints in time.
        """
        wanted = self._complete_checkpoints() + 3
        deadline_s = time.monotonic() + START_S
        while self._complete_checkpoints() < wanted:
            if time.monotonic() > deadline_s:
                raise ServiceError(
                    f"Flink made no checkpoint in {START_S:.0f} s; see {self.folder}"
                )
            time.sleep(_POLL_S)

    def newest_checkpoint(self) -> Path:
        """Returns the folder of the newest complete checkpoint of any job."""
        complete = self._checkpoints.glob("*/chk-*/_metadata")
        return max(complete, key=lambda path: path.stat().st_mtime).parent

    def workers(self) -> list[int]:
        """Returns the process ids of the Python workers that the pools have started."""
        pools = ",".join(str(self.processes[each.pool].pid) for each in self._task_managers)
        found = subprocess.run(
            ["pgrep", "--parent", pools, "--runstates", "R,S,D"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return [int(line) for line in found.stdout.split()]

    def runner_flags(self) -> list[str]:
        """Returns the flags that send a job to this cluster."""
        return [
            "--runner=PortableRunner",
            f"--job_endpoint={LOOPBACK}:{self._job_port}",
            f"--artifact_endpoint={LOOPBACK}:{self._artifacts}",
            "--environment_type=EXTERNAL",
            f"--environment_config={_POOL_HOST}:{self._pool_port}",
            "--sdk_worker_parallelism=1",
            f"--job_name={JOB_NAME}",
            # A newer Python SDK shuffles windowed values in a form that this runner can't read.
            f"--update_compatibility_version={RUNNER_VERSION}",
        ]

    def names(self) -> list[str]:
        """Returns the names of the task managers."""
        return [each.name for each in self._task_managers]

    def _tmp(self, name: str) -> Path:
        return self.folder / "tmp" / file_name(name)

    def _is_whole(self, job: str) -> bool:
        vertices = self.ask(f"/jobs/{job}")["vertices"]
        return all(vertex["status"] == "RUNNING" for vertex in vertices)

    def _jobs(self) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = self.ask("/jobs")["jobs"]
        return jobs

    def ids(self) -> set[str]:
        """Returns the ids of all jobs, including those that have ended."""
        return {job["id"] for job in self._jobs()}

    def _complete_checkpoints(self) -> int:
        running = [job["id"] for job in self._jobs() if job["status"] == "RUNNING"]
        return sum(self.ask(f"/jobs/{job}/checkpoints")["counts"]["completed"] for job in running)

    def _slots(self) -> int:
        try:
            return int(self.ask("/overview")["slots-total"])
        except OSError:
            return 0

    def ask(self, path: str, method: str = "GET") -> dict[str, Any]:
        """Sends a request to the job manager's REST interface, and returns the answer."""
        request = urllib.request.Request(f"http://{LOOPBACK}:{self._rest}{path}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            content: dict[str, Any] = json.loads(answer.read() or b"{}")
            return content

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
            **{
                each.name: [
                    *java, "-Xmx704m", "-XX:MaxDirectMemorySize=384m",
                    f"-Djdk.net.hosts.file={self._tmp(each.name) / 'hosts'}", *run, _TASK_MANAGER,
                    *config, f"-Dtaskmanager.host={each.address}",
                    f"-Dtaskmanager.bind-host={each.address}",
                    f"-Dtaskmanager.resource-id={file_name(each.name)}",
                    f"-Dio.tmp.dirs={self._tmp(each.name)}",
                ]
                for each in self._task_managers
            },
            **{
                each.pool: [
                    sys.executable, "-m", "deploy.local.worker_pool",
                    f"{each.address}:{self._pool_port}",
                ]
                for each in self._task_managers
            },
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
        }  # fmt: skip


@contextmanager
def flink_cluster(
    folder: Path, task_managers: int = 1, slots: int = _SLOTS
) -> Iterator[FlinkCluster]:
    """Runs a cluster, with its logs and checkpoints in the folder.

    Args:
      folder: as in `FlinkCluster`.
      task_managers: number of task managers.
      slots: number of slots per task manager.

    Raises:
      ServiceError: if Java or Maven is missing, or a process does not start.
    """
    cluster = FlinkCluster(folder.resolve(), task_managers, slots)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name} {number}"


def file_name(name: str) -> str:
    """Returns the name of a process in the form that its files' names use."""
    return name.replace(" ", "_")
