"""Creates the archive, a run over it in memory, and the cluster, once for all tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.flink import FlinkCluster, flink_cluster
from tests.cluster.runs import CONVERSATIONS, Archive, Outcome, in_memory, simulated, table
from tests.services import have

_OUTCOMES = pytest.StashKey[list[Outcome]]()

Record = Callable[[Outcome], None]
"""A function that adds a row to the table, which is printed after all tests."""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    """Runs a job manager and two task managers, each with a spare slot."""
    manager = flink_cluster(tmp_path_factory.mktemp("flink"), task_managers=2, slots=2)
    running = have(manager.__enter__)
    try:
        yield running
    finally:
        manager.__exit__(None, None, None)


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Simulates a million events, or CLUSTER_CONVERSATIONS conversations if that is set."""
    conversations = int(os.environ.get("CLUSTER_CONVERSATIONS", CONVERSATIONS))
    return simulated(tmp_path_factory.mktemp("archive"), conversations)


@pytest.fixture(scope="session")
def expected(
    request: pytest.FixtureRequest,
    cluster: FlinkCluster,  # noqa: ARG001 (without a cluster, this run is not needed)
    archive: Archive,
    tmp_path_factory: pytest.TempPathFactory,
) -> Outcome:
    """Returns the outcome of the run in memory."""
    outcome = in_memory(archive, tmp_path_factory.mktemp("expected") / "run")
    request.config.stash[_OUTCOMES] = [outcome]
    return outcome


@pytest.fixture
def record(request: pytest.FixtureRequest, expected: Outcome) -> Record:  # noqa: ARG001
    """Returns a function that adds a run to the table, whose first row is the run in memory."""
    return request.config.stash[_OUTCOMES].append


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns the folder into which a run writes."""
    return tmp_path / "run"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Prints the table of runs."""
    outcomes = config.stash.get(_OUTCOMES, [])
    if outcomes:
        terminalreporter.section("runs on the cluster")
        terminalreporter.write_line(table(outcomes))
