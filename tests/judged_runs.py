"""Writes the folders of runs whose conversations have known labels and a judged sample."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pipelines.report.run import RUN_FILE
from schemas.counts import CountsRow
from schemas.judged import JUDGEMENTS, SAMPLE
from schemas.tables import BATCH, METRICS_VERSION
from tests.builders_report import published_run
from tests.judged import Labelled, judgements, sampled
from tests.run_folders import write_table
from transforms.counting.builder import CountsBuilder
from transforms.counting.cells import day_of
from transforms.counting.register import Stamp
from transforms.counting.rows import Provenance, counts_row
from transforms.counting.windows import windows_in
from transforms.publishing.policy import Policy

VERSION = "test-1"


def judged_run(
    folder: Path, made: Sequence[Labelled], budget: int, policy: Policy, *, cost: float = 0.0
) -> Path:
    """Counts and publishes conversations with a judged sample, and returns the run's folder.

    Args:
      folder: where to write.
      made: the conversations.
      budget: how many of each day are judged; 0 for no sample.
      policy: how the numbers are protected.
      cost: what each judgement has cost.
    """
    if budget:
        sample = [
            msgspec.structs.replace(row, classifier_version=VERSION)
            for row in sampled(made, budget)
        ]
        rows = [msgspec.structs.replace(row, cost=cost) for row in judgements(made, sample)]
        write_table(folder, SAMPLE, sample)
        write_table(folder, JUDGEMENTS, rows)
    published_run(folder, counted(made), policy)
    facts = json.loads((folder / RUN_FILE).read_text())
    facts["settings"] |= {"max_event_bytes": 10_000_000, "policy": json.loads(policy.encode())}
    (folder / RUN_FILE).write_text(json.dumps(facts))
    return folder


def counted(made: Sequence[Labelled]) -> list[CountsRow]:
    """Counts conversations as `VERSION` of the classifier sees them."""
    starts = [day_of(each.said.started_at_us) for each in made]
    builder = CountsBuilder(windows_in(min(starts), max(starts)))
    for each in made:
        builder.add_user([(each.rank, each.said)])
    return [
        counts_row(key, change.cells, Stamp(1, 1), 1, Provenance(BATCH, METRICS_VERSION, VERSION),
                   "k")
        for key, change in sorted(builder.places(), key=lambda place: place[0])
    ]  # fmt: skip
