"""The judge `llm` against a real language model on this machine, with faults between them.

`JUDGE_CONVERSATIONS=200` judges more conversations than the normal run of the tests.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from pipelines.judges.interface import Transcript, Turn
from pipelines.judges.llm.judge import LlmJudge
from pipelines.judges.llm.pace import Patience
from pipelines.simulator.scenes import MIDDLE, OPENING, load_scenes
from tests.pipelines.judges.judging import judge_at
from tests.pipelines.judges.local_model import MODEL, LlamaServer, llama_server
from tests.pipelines.judges.resuming import PRICES, check_resuming
from tests.services import have

pytestmark = [pytest.mark.xdist_group("judge"), pytest.mark.timeout(3_000)]

CONVERSATIONS: Final = int(os.environ.get("JUDGE_CONVERSATIONS", "6"))
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


def test_nothing_is_lost_or_judged_twice(server: LlamaServer, tmp_path: Path) -> None:
    """All conversations get one verdict, through faults and the death of the server midway."""
    timeout_s = warm_up(f"{server.url}/v1")
    file = tmp_path / "verdicts.jsonl"
    check_resuming(server, short_conversations(CONVERSATIONS), judge_of, timeout_s, file)
