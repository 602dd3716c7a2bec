"""The archive, what it comes to in memory, and the cluster: made once for all tests."""

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
"""Notes a row of the table that ends the run."""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    """A job manager and two task managers, each with a slot to spare."""
    manager = flink_cluster(tmp_path_factory.mktemp("flink"), task_managers=2, slots=2)
    running = have(manager.__enter__)
    try:
        yield running
    finally:
        manager.__exit__(None, None, None)


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """A million events, or what CLUSTER_CONVERSATIONS conversations have."""
    conversations = int(os.environ.get("CLUSTER_CONVERSATIONS", CONVERSATIONS))
    return simulated(tmp_path_factory.mktemp("archive"), conversations)


@pytest.fixture(scope="session")
def expected(
    request: pytest.FixtureRequest,
    cluster: FlinkCluster,  # noqa: ARG001 (without one there is nothing to expect of it)
    archive: Archive,
    tmp_path_factory: pytest.TempPathFactory,
) -> Outcome:
    """The run in memory."""
    outcome = in_memory(archive, tmp_path_factory.mktemp("expected") / "run")
    request.config.stash[_OUTCOMES] = [outcome]
    return outcome


@pytest.fixture
def record(request: pytest.FixtureRequest, expected: Outcome) -> Record:  # noqa: ARG001
    """Notes a row of the table; the run in memory is its first."""
    return request.config.stash[_OUTCOMES].append


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a run goes."""
    return tmp_path / "run"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Prints the table of runs."""
    outcomes = config.stash.get(_OUTCOMES, [])
    if outcomes:
        terminalreporter.section("runs on the cluster")
        terminalreporter.write_line(table(outcomes))
