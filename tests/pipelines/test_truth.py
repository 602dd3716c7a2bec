"""Tests the job against a simulator with known results and no code from `transforms`.

Only the facets that the simulator counts are compared. A new facet has its own test.
"""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, NamedTuple

import pytest

from pipelines.simulator import SimulationSettings, Truth, simulate
from pipelines.simulator.truth import FACETS
from schemas.records import ScoredMessage
from schemas.tables import BATCH
from tests.builders import PSEUDONYMS
from tests.doubles import LabelReader
from tests.pipelines.running import EXACT, Counts, Result, chunk, run_bounded
from transforms.classifiers.scoring import score_messages
from transforms.conversation.messages import decode_chunk
from transforms.conversation.spans import Span, fold_chunk, merge_spans, outcomes_of
from transforms.conversation.summary import summarize
from transforms.counting.builder import CountsBuilder
from transforms.counting.contribution import RankedSummary, rank_of
from transforms.counting.register import Stamp
from transforms.counting.rows import counts_row

SETTINGS: Final = SimulationSettings(
    conversations=20_000,
    start=datetime(2026, 1, 5, tzinfo=UTC),
    days=2,
    seed=7,
    duplicates=0.05,
    late=0.03,
    malformed=0.01,
    allowed_lateness=EXACT.allowed_lateness,
    labelled_text=True,
)
ORDERS: Final = 200
WHOLE_ORDERS: Final = 8
"""The number of orders that check the whole archive.

Each other order checks a random tenth of the conversations, so that each conversation is checked in
some twenty orders."""
ROWS_A_CHUNK: Final = 2048


class Simulated(NamedTuple):
    """A simulation, its expected results, and its messages as the job scores them."""

    events: list[dict[str, Any]]
    cells: dict[tuple[Any, ...], Counts]
    ledger: dict[tuple[str, str], int]
    scored: list[ScoredMessage]
    outcomes_at_door: dict[tuple[str, str], int]


@cache
def simulated() -> Simulated:
    """Returns the simulation, which is generated once per process."""
    truth = Truth(EXACT.gap_us)
    events = [dict(event) for event in simulate(SETTINGS, truth)]
    cells = {
        (name.window_start_us, name.granularity, name.breakdown, name.breakdown_value,
         name.facet, name.facet_value): _counts(name.facet, sums)
        for name, sums in truth.cells()
    }  # fmt: skip
    messages, _, outcomes = decode_chunk(chunk(events), EXACT.limits, PSEUDONYMS)
    return Simulated(
        events, cells, dict(truth.ledger()), score_messages(messages, LabelReader()), dict(outcomes)
    )


def _counts(facet: str, sums: Any) -> Counts:
    n, users, change, squares = sums
    return (n, users, change, squares) if facet == "sentiment" else (n, users, None, None)


def known_cells(result: Result) -> dict[tuple[Any, ...], Counts]:
    """Returns the job's cells of the facets that the simulator counts."""
    return {name: counts for name, counts in result.cells().items() if name[4] in FACETS}


def folded(messages: list[ScoredMessage]) -> dict[bytes, list[Span]]:
    """Folds the messages in this order, chunk by chunk, in the same way as the bounded job."""
    partials: defaultdict[bytes, list[Span]] = defaultdict(list)
    for start in range(0, len(messages), ROWS_A_CHUNK):
        for key, partial in fold_chunk(messages[start : start + ROWS_A_CHUNK], EXACT.gap_us):
            partials[key].append(partial)
    return partials


@cache
def reference() -> dict[bytes, tuple[Any, ...]]:
    """Returns the states after folding the messages in the order of publishing."""
    return spans_of(folded(simulated().scored))


def spans_of(partials: dict[bytes, list[Span]]) -> dict[bytes, tuple[Any, ...]]:
    """Merges spans into the states for each conversation id."""
    return {
        key: tuple(span.state for span in merge_spans(parts, EXACT.gap_us))
        for key, parts in partials.items()
    }


def test_the_states_add_up_to_the_truth() -> None:
    """All cells computed from the states equal the simulator's cells."""
    by_user: defaultdict[Any, list[RankedSummary]] = defaultdict(list)
    for key, states in reference().items():
        for number, summary in enumerate(summarize(states, LabelReader())):
            by_user[summary.user or (key, number)].append((rank_of(key), summary))
    builder = CountsBuilder()
    for group in by_user.values():
        builder.add_user(group)
    rows = [
        counts_row(key, change.cells, Stamp(1, 1), 1, EXACT.provenance(BATCH), "")
        for key, change in builder.places()
    ]
    assert known_cells(Result(defaultdict(list, counts=rows))) == simulated().cells


def test_the_ledger_is_the_truth() -> None:
    """Every record has the outcome that the simulator expects."""
    outcomes = defaultdict(int, simulated().outcomes_at_door)
    for parts in folded(simulated().scored).values():
        for outcome, records in outcomes_of(merge_spans(parts, EXACT.gap_us)).items():
            outcomes[outcome] += records
    del outcomes["conversation", ""]
    assert {outcome: n for outcome, n in outcomes.items() if n} == simulated().ledger


@pytest.mark.parametrize("part", range(4))
def test_any_order_gives_the_same_states(part: int) -> None:
    """In any order of arrival, the states are the same, and therefore all counts."""
    for order in range(part, ORDERS, 4):
        chance = random.Random(order)
        keys = sorted(reference())
        keys = keys if order < WHOLE_ORDERS else chance.sample(keys, len(keys) // 10)
        chosen = set(keys)
        shuffled = [m for m in simulated().scored if m.conversation in chosen]
        chance.shuffle(shuffled)
        assert spans_of(folded(shuffled)) == {key: reference()[key] for key in keys}


@pytest.mark.parametrize("seed", range(2))
def test_the_graph_publishes_the_truth(seed: int) -> None:
    """From an archive in random order and chunks, the real graph publishes the expected cells."""
    events = list(simulated().events)
    random.Random(seed).shuffle(events)
    starts = range(0, len(events), 1500)
    result = run_bounded([chunk(events[start : start + 1500]) for start in starts])
    assert known_cells(result) == simulated().cells
    accounts = result.accounts()
    assert accounts.pop(("conversation", "")) == accounts.pop(("tallied", ""))
    assert accounts == simulated().ledger
