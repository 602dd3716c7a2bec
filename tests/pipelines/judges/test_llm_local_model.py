"""The judge `llm` against a real language model on this machine, with faults between them.

`JUDGE_CONVERSATIONS=200` judges more conversations than the normal run of the tests.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from pipelines.judges.interface import Transcript, Turn
from pipelines.judges.llm.cost import Prices
from pipelines.judges.llm.judge import LlmJudge
from pipelines.judges.llm.pace import Patience
from pipelines.simulator.scenes import MIDDLE, OPENING, load_scenes
from schemas.judged import INVALID, JUDGED
from tests.pipelines.judges.faulty_proxy import (
    RESET,
    TIMEOUT,
    TRUNCATED,
    Fault,
    FaultyProxy,
    faulty_proxy,
)
from tests.pipelines.judges.judging import Caller, judge_at
from tests.pipelines.judges.local_model import MODEL, LlamaServer, llama_server
from tests.services import have

pytestmark = [pytest.mark.xdist_group("judge"), pytest.mark.timeout(3_000)]

CONVERSATIONS: Final = int(os.environ.get("JUDGE_CONVERSATIONS", "6"))
PRICES: Final = Prices(1, 4)
FAULTS: Final[dict[int, Fault]] = {2: 429, 3: 500, 4: TRUNCATED, 5: RESET, 7: 503}
"""Faults of ten requests, which are repeated."""
TIMEOUT_AT: Final = 6
_NAME: Final = re.compile(r"\(note (\d+)\)")
_THREADS: Final = 2


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    """Runs the model. It answers one request at a time, because there are few cores."""
    context = llama_server(slots=1)
    server = have(context.__enter__)
    try:
        yield server
    finally:
        context.__exit__(None, None, None)


def short_conversations(count: int) -> list[Transcript]:
    """Returns conversations of the simulator's texts, with their names in the text."""
    scenes = load_scenes()
    kinds = ("counseling", "companionship", "technical", "information", "coaching")
    made = []
    for n in range(count):
        language, kind = ("en", "zh")[n % 2], kinds[n % len(kinds)]
        said = [
            scenes.human(language, kind, stage, scenes.half_points(language, kind, stage, 0), n)
            for stage in (OPENING, MIDDLE)
        ]
        reply = scenes.assistant(language, kind, None, n)
        turns = (Turn(True, f"(note {n}) {said[0]}"), Turn(False, reply), Turn(True, said[1]))
        made.append(Transcript(str(n), n, turns))
    return made


def judge_of(url: str, timeout_s: float) -> LlmJudge:
    """Returns a judge that asks the small model."""
    patience = Patience(tries=8, timeout_s=timeout_s, first_s=0.01, most_s=0.1)
    return judge_at(
        url,
        model=MODEL,
        patience=patience,
        prices=PRICES,
        max_cost=100,
        concurrency=_THREADS,
        answer_tokens=200,
    )


def warm_up(url: str) -> float:
    """Lets the model read the instructions. Returns how long a request may take, in seconds."""
    list(judge_of(url, 600).judge(short_conversations(1)))
    started_s = time.monotonic()
    list(judge_of(url, 600).judge(short_conversations(1)))
    return max(10.0, 8 * (time.monotonic() - started_s))


def names_in(bodies: list[str]) -> set[str]:
    """Returns the names of the conversations in some requests."""
    return {found[1] for body in bodies if (found := _NAME.search(body))}


def test_nothing_is_lost_or_judged_twice(server: LlamaServer, tmp_path: Path) -> None:
    """All conversations get one verdict, through faults and the death of the server midway."""
    transcripts = short_conversations(CONVERSATIONS)
    killed_at = 8 + CONVERSATIONS // 2

    def fault_of(number: int) -> Fault:
        if number == killed_at:
            server.kill()
        return TIMEOUT if number == TIMEOUT_AT else FAULTS.get(number % 10)

    caller = Caller(tmp_path / "verdicts.jsonl")
    timeout_s = warm_up(f"{server.url}/v1")
    with faulty_proxy(server.url, fault_of) as proxy:
        first = judge_of(proxy.url, timeout_s)
        sentence = caller.run(first, transcripts)
        assert sentence is not None
        assert "does not answer" in sentence or "got no answer" in sentence
        saved, before = caller.saved(), len(proxy.bodies)
        assert 0 < len(saved) < CONVERSATIONS
        server.start()
        proxy.target = server.url
        second = judge_of(proxy.url, 600)
        assert caller.run(second, transcripts) is None
        assert not names_in(proxy.bodies[before:]) & {row["conversation"] for row in saved}
        assert_all_is_counted(caller, proxy, [first, second])


def assert_all_is_counted(caller: Caller, proxy: FaultyProxy, judges: list[LlmJudge]) -> None:
    """Checks the verdicts, the faults, and the cost against what the proxy has seen."""
    rows = caller.saved()
    assert sorted(int(row["conversation"]) for row in rows) == list(range(CONVERSATIONS))
    assert {row["status"] for row in rows} <= {JUDGED, INVALID}
    assert any(row["status"] == JUDGED for row in rows)
    seen = {fault for judge in judges for fault in judge.tally.faults}
    assert seen >= {"status 429", "status 500", "status 503", "garbled", "connection", "timeout"}
    read = sum(judge.tally.tokens.read for judge in judges)
    written = sum(judge.tally.tokens.written for judge in judges)
    timeouts = sum(judge.tally.faults["timeout"] for judge in judges)
    if timeouts == 1:  # On a slow machine, other answers may come too late.
        assert (read, written) == (proxy.read_tokens, proxy.written_tokens)
    spent = sum(judge.spent for judge in judges)
    true_cost = proxy.read_tokens * PRICES.read + proxy.written_tokens * PRICES.written
    assert spent >= (true_cost + proxy.lost_tokens * PRICES.read) / 1e6
    assert sum(row["cost"] for row in rows) <= spent + 1e-9
