"""Starts the real services once for all tests, and prints a table of the faults and losses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.local.cloud import LocalCloud, local_cloud
from deploy.local.flink import FlinkCluster, flink_cluster
from pipelines.simulator import SimulationSettings, write_simulation
from pipelines.sinks.archive import read_events
from tests.live.stage import Stage
from tests.live.traffic import Event, with_faults, write_messages
from tests.services import have

CONVERSATIONS: Final = 150
_RESULTS = pytest.StashKey[list[tuple[str, ...]]]()
_HEAD: Final = ("fault", "runner", "events", "seconds", "losses")

Record = Callable[..., None]
"""A function that adds a row to the table: fault, runner, events and losses."""


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Runs the emulators of Pub/Sub and BigQuery."""
    manager = local_cloud(tmp_path_factory.mktemp("cloud"))
    running = have(manager.__enter__)
    try:
        yield running
    finally:
        manager.__exit__(None, None, None)


@pytest.fixture(scope="session")
def flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    """Runs a Flink cluster together with Beam's job server."""
    manager = flink_cluster(tmp_path_factory.mktemp("flink"))
    cluster = have(manager.__enter__)
    try:
        yield cluster
    finally:
        manager.__exit__(None, None, None)


@pytest.fixture(scope="session")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """Simulates events of the last few days, with some long conversations."""
    folder = tmp_path_factory.mktemp("events")
    # Some conversations go on for days, and an event of the future would be refused.
    days_ago = time.time() - 7 * 86_400
    settings = SimulationSettings(
        conversations=CONVERSATIONS, start=_midnight(days_ago), days=2, duplicates=0.02
    )
    summary = write_simulation(folder, settings)
    return [event for name in summary.files for event in read_events(folder / name)]


@pytest.fixture
def stage(
    request: pytest.FixtureRequest, cloud: LocalCloud, events: list[Event], tmp_path: Path
) -> Stage:
    """Creates a deployment for one test.

    The deployment's archive has the simulated events in random order.
    """
    suffix = f"-{len(request.session.stash.setdefault(_STAGES, []))}"
    request.session.stash[_STAGES].append(suffix)
    archive = write_messages(tmp_path / "sent.avro", with_faults(events, 0.0, seed=1))
    return Stage(cloud.another(suffix), tmp_path, archive)


_STAGES = pytest.StashKey[list[str]]()


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Returns a function that adds a row to the table of faults, which is printed at the end."""
    started_s = time.monotonic()

    def note(fault: str, runner: str, events: int, losses: object) -> None:
        rows = request.config.stash.setdefault(_RESULTS, [])
        seconds = f"{time.monotonic() - started_s:.0f}"
        rows.append((fault, runner, f"{events:,}", seconds, str(losses)))

    return note


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Prints the table of faults, events and losses."""
    rows = config.stash.get(_RESULTS, [])
    if rows:
        table = [_HEAD, *rows]
        widths = [max(len(row[i]) for row in table) for i in range(len(_HEAD))]
        terminalreporter.section("faults, events and losses")
        for row in table:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            terminalreporter.write_line("  ".join(cells).rstrip())


def _midnight(at_s: float) -> Any:
    from datetime import UTC, datetime  # noqa: PLC0415

    return datetime.fromtimestamp(at_s - at_s % 86_400, UTC)
