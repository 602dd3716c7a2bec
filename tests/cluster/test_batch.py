"""Tests that a Flink cluster gives the same tables as a run in memory, even with faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local.flink import FlinkCluster
from deploy.local.flink_batch import shares
from tests.cluster.conftest import Record
from tests.cluster.faults import FAULTS
from tests.cluster.runs import Archive, Fault, Outcome, on_flink

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]

RUNNER = "Flink, 2 task managers"
LEAST_SHARE = 0.25
"""Each task manager must write at least this share; not half, as some steps have one task."""


def test_the_tables_are_those_of_a_run_in_memory(
    cluster: FlinkCluster, archive: Archive, expected: Outcome, folder: Path, record: Record
) -> None:
    """With two task managers, every table equals that of a run in memory, byte for byte."""
    outcome = on_flink(cluster, archive, folder, RUNNER)
    record(outcome)
    assert outcome.hashes == expected.hashes
    assert outcome.failures == 0
    assert min(shares(cluster).values()) > LEAST_SHARE


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.strike.__name__)
def test_a_fault_changes_no_table(
    fault: Fault, cluster: FlinkCluster, archive: Archive, expected: Outcome, folder: Path,
    record: Record,
) -> None:  # fmt: skip
    """After a fault, Flink restarts the failed part of the job; nothing is lost or repeated."""
    cluster.start()
    outcome = on_flink(cluster, archive, folder, RUNNER, fault)
    record(outcome)
    assert outcome.failures > 0
    assert outcome.hashes == expected.hashes
