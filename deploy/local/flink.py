"""A Flink session cluster on one machine, as separate processes, with Beam's job server on it.

One job manager and any number of task managers, so that one can die and come back while the others
work. Each task manager stands for a host: it has an address of the loopback network, a folder, a
log and a pool of Python workers of its own. One pool for all would not do: each task manager
numbers its workers from one, so the first that is done would end the worker of another.

Flink has the true watermark, the checkpoints and the exactly-once state that Beam's in-process
runner has not. Pub/Sub is read by Beam's Java source, in the task manager: it acknowledges the
messages of a checkpoint when just that checkpoint is complete. A Python source that acknowledges on
bundle finalisation was tried beside it; there Flink finalises every bundle at any checkpoint, so it
must wait for a second one, was a third as fast, and its state grew while idle.

Beam's job server listens on all interfaces: not for a network that is not yours.
"""

from __future__ import annotations

import hashlib
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
_RETRIES: Final = 1000
_RETRY_MS: Final = 1000
_KEPT_MS: Final = 3000
"""For so long a batch job's workers wait for its next step."""
_BATCH_RETRY_MS: Final = 5000
"""Longer than workers are kept, or a dead one is kept for ever: each retry finds it, and fails."""
_POOL_HOST: Final = "worker-pool"
"""What every task manager calls the host of its worker pool: a job has one address for all."""
_POLL_S: Final = 0.2
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


class TaskManager(NamedTuple):
    """A task manager's place in the cluster, counted from one."""

    number: int

    @property
    def name(self) -> str:
        """Of its process."""
        return _numbered("task manager", self.number)

    @property
    def pool(self) -> str:
        """Of the process that starts its workers."""
        return _numbered("worker pool", self.number)

    @property
    def address(self) -> str:
        """Where it and its pool listen.

        Linux answers on each of these; macOS wants all but the first to be added to its loopback
        interface.
        """
        return f"127.0.0.{self.number}"

    def hosts(self) -> str:
        """Returns the file in which it looks up names, and no others."""
        names = f"localhost {socket.gethostname()}"
        return f"{LOOPBACK} {names}\n{self.address} {_POOL_HOST}\n"


class FlinkCluster:
    """A job manager, task managers, Beam's job server, expansion service and worker pools.

    The processes are in `processes`, by name; the task managers are "task manager",
    "task manager 2" and so on, their pools "worker pool", "worker pool 2" and so on. What was
    killed is started again by `start`.

    Args:
      folder: takes configuration, logs, checkpoints and temporary files.
      task_managers: how many.
      slots: of each task manager.
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
        for path in (self._checkpoints, *map(self._tmp, ("job manager", *self._names()))):
            path.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(self._config())
        for host in self._task_managers:
            (self._tmp(host.name) / "hosts").write_text(host.hosts())
        self.processes: dict[str, Process] = {}

    @property
    def task_managers(self) -> int:
        """How many there are when all run."""
        return len(self._task_managers)

    def start(self) -> None:
        """Starts all processes that do not run, and waits until the cluster takes jobs."""
        for name, command in self._commands().items():
            if name not in self.processes or not self.processes[name].is_running:
                # The pool starts plain `python`, which must be this one.
                path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
                log = self.folder / f"{_file_name(name)}.log"
                self.processes[name] = Process(name, command, log, {"PATH": path})
        slots = len(self._task_managers) * self._slots_each
        self.processes["job manager"].wait_until(lambda: self._slots() >= slots, _START_S)
        for name, host, port in (
            ("job server", LOOPBACK, self._job_port),
            ("expansion service", LOOPBACK, self._expansion),
            *((each.pool, each.address, self._pool_port) for each in self._task_managers),
        ):
            self.processes[name].wait_until(partial(answers, port, host), _START_S)

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
            *self._runner_flags(),
            f"--checkpointing_interval={_CHECKPOINT_MS}",
            # Without it what a bundle gave stays in state until the operator's next bundle.
            "--finish_bundle_before_checkpointing",
            "--externalized_checkpoints_enabled",
            "--retain_externalized_checkpoints_on_cancellation",
            f"--number_of_execution_retries={_RETRIES}",
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
            _START_S,
        )
        return process

    def run_batch(self, arguments: Sequence[str], log: Path, parallelism: int) -> Process:
        """Submits `undertone run`, and waits until Flink has the job.

        Args:
          arguments: of `undertone run`, the runner's left out.
          log: file that takes what it prints.
          parallelism: slots that the job takes, spread over the task managers.

        Returns:
          The process that submitted the job. It goes on when the job has ended, reads what the
          workers wrote and puts the run's folder together.
        """
        before = self._ids()
        flags = [
            *self._runner_flags(),
            f"--parallelism={parallelism}",
            # What a step gives is kept on disk: a failure costs the steps whose results are lost.
            "--execution_mode_for_batch=BATCH",
            # Else the workers end with each step, and the next step waits for new ones.
            f"--environment_cache_millis={_KEPT_MS}",
            # Flink does not spread what a source was split into unless it is told to.
            "--experiments=pre_optimize=all",
        ]
        command = [sys.executable, "-m", "pipelines.commands.main", "run", *arguments, *flags]
        process = Process("the batch job", command, log)
        process.wait_until(lambda: bool(self._ids() - before), _START_S)
        return process

    def written(self) -> int:
        """Returns how many records the steps of the newest job have given so far, in all.

        A step's count shows when it is done with a bundle; in a batch job that is all it reads.
        """
        vertices = self._ask(f"/jobs/{self._newest()}")["vertices"]
        return sum(vertex["metrics"]["write-records"] for vertex in vertices)

    def shares(self) -> dict[str, float]:
        """Returns which share of the records of the newest job each task manager's steps gave."""
        job = f"/jobs/{self._newest()}"
        given = dict.fromkeys(self._names(), 0)
        names = {_file_name(name): name for name in given}
        for vertex in self._ask(job)["vertices"]:
            for each in self._ask(f"{job}/vertices/{vertex['id']}/taskmanagers")["taskmanagers"]:
                if each["taskmanager-id"] in names:
                    given[names[each["taskmanager-id"]]] += each["metrics"]["write-records"]
        return {name: records / (sum(given.values()) or 1) for name, records in given.items()}

    def failures(self) -> int:
        """Returns how often the newest job, or a part of it, had to be started again."""
        history = self._ask(f"/jobs/{self._newest()}/exceptions")["exceptionHistory"]
        return len(history["entries"])

    def cancel(self) -> None:
        """Cancels whatever runs, keeping the checkpoints, and waits until it has ended."""
        for job in self._jobs():
            if job["status"] in ("RUNNING", "RESTARTING", "CREATED"):
                self._ask(f"/jobs/{job['id']}?mode=cancel", method="PATCH")
        deadline_s = time.monotonic() + _START_S
        while any(job["status"] in ("RUNNING", "CANCELLING") for job in self._jobs()):
            if time.monotonic() > deadline_s:
                raise ServiceError("Flink does not end its job")
            time.sleep(_POLL_S)

    def newest_checkpoint(self) -> Path:
        """Returns the folder of the last complete checkpoint of any job."""
        complete = self._checkpoints.glob("*/chk-*/_metadata")
        return max(complete, key=lambda path: path.stat().st_mtime).parent

    def workers(self) -> list[int]:
        """Returns the ids of the Python worker processes that the pools started."""
        pools = ",".join(str(self.processes[each.pool].pid) for each in self._task_managers)
        found = subprocess.run(
            ["pgrep", "--parent", pools, "--runstates", "R,S,D"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return [int(line) for line in found.stdout.split()]

    def _runner_flags(self) -> list[str]:
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

    def _names(self) -> list[str]:
        return [each.name for each in self._task_managers]

    def _tmp(self, name: str) -> Path:
        return self.folder / "tmp" / _file_name(name)

    def _is_whole(self, job: str) -> bool:
        vertices = self._ask(f"/jobs/{job}")["vertices"]
        return all(vertex["status"] == "RUNNING" for vertex in vertices)

    def _jobs(self) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = self._ask("/jobs")["jobs"]
        return jobs

    def _newest(self) -> str:
        jobs = self._ask("/jobs/overview")["jobs"]
        newest: str = max(jobs, key=lambda job: job["start-time"])["jid"]
        return newest

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
            **{
                each.name: [
                    *java, "-Xmx704m", "-XX:MaxDirectMemorySize=384m",
                    f"-Djdk.net.hosts.file={self._tmp(each.name) / 'hosts'}", *run, _TASK_MANAGER,
                    *config, f"-Dtaskmanager.host={each.address}",
                    f"-Dtaskmanager.bind-host={each.address}",
                    f"-Dtaskmanager.resource-id={_file_name(each.name)}",
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
            "taskmanager.numberOfTaskSlots": self._slots_each,
            "taskmanager.load-balance.mode": "SLOTS",
            # A task manager that is started by hand must be told every part of its memory.
            "taskmanager.cpu.cores": 1.0,
            "taskmanager.memory.framework.heap.size": "64m",
            # Half of it is for reading what a batch job has shuffled.
            "taskmanager.memory.framework.off-heap.size": "128m",
            "taskmanager.memory.task.heap.size": "640m",
            "taskmanager.memory.task.off-heap.size": "64m",
            # Only batch jobs take it, to sort in; a stream's state is on the heap.
            "taskmanager.memory.managed.size": "256m",
            "taskmanager.memory.network.min": "128m",
            "taskmanager.memory.network.max": "128m",
            # Of 32 KB, for each result that is being written: some dozen at once.
            "taskmanager.network.sort-shuffle.min-buffers": 64,
            "taskmanager.memory.jvm-metaspace.size": "192m",
            "taskmanager.memory.jvm-overhead.min": "64m",
            "taskmanager.memory.jvm-overhead.max": "64m",
            "classloader.resolve-order": "parent-first",
            "classloader.check-leaked-classloader": "false",
            "state.backend.type": "hashmap",
            "state.checkpoint-storage": "filesystem",
            "state.checkpoints.dir": f"file://{self._checkpoints}",
            "state.checkpoints.num-retained": 2,
            # The runner tells Flink of retries in a stream only.
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": _RETRIES,
            "restart-strategy.fixed-delay.delay": f"{_BATCH_RETRY_MS} ms",
            # A process that is gone is missed within seconds.
            "heartbeat.interval": 1000,
            "heartbeat.timeout": 10000,
            "heartbeat.rpc-failure-threshold": 2,
            "io.tmp.dirs": str(self._tmp("job manager")),
        }
        return "".join(f"{key}: {value}\n" for key, value in settings.items())


@contextmanager
def flink_cluster(
    folder: Path, task_managers: int = 1, slots: int = _SLOTS
) -> Iterator[FlinkCluster]:
    """Runs a cluster; its logs and checkpoints lie in the folder.

    Args:
      folder: as in `FlinkCluster`.
      task_managers: how many.
      slots: of each task manager.

    Raises:
      ServiceError: Java or Maven is missing, or a process does not start.
    """
    cluster = FlinkCluster(folder.resolve(), task_managers, slots)
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


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name} {number}"


def _file_name(name: str) -> str:
    return name.replace(" ", "_")
