"""Judges through faults and the death of the server midway, goes on, and checks the accounts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from pipelines.judges.interface import Transcript
from pipelines.judges.llm.cost import Prices
from pipelines.judges.llm.judge import LlmJudge
from schemas.judged import INVALID, JUDGED
from tests.pipelines.judges.faulty_proxy import (
    RESET,
    TIMEOUT,
    TRUNCATED,
    Fault,
    FaultyProxy,
    faulty_proxy,
)
from tests.pipelines.judges.judging import Caller

PRICES: Final = Prices(1, 4)
FAULTS: Final[dict[int, Fault]] = {2: 429, 3: 500, 4: TRUNCATED, 5: RESET, 7: 503}
"""Faults of ten requests, which are repeated."""
TIMEOUT_AT: Final = 6
_KINDS: Final = {"status 429", "status 500", "status 503", "garbled", "connection", "timeout"}
_NAME: Final = re.compile(r"\(note (\d+)\)")

MakeJudge = Callable[[str, float], LlmJudge]
"""Makes a judge from the URL of the endpoint and the time that a request may take, in seconds."""


class Server(Protocol):
    """A server that can be killed and started again, perhaps with another URL."""

    url: str

    def start(self) -> None: ...

    def kill(self) -> None: ...


def check_resuming(
    server: Server,
    transcripts: Sequence[Transcript],
    make_judge: MakeJudge,
    timeout_s: float,
    file: Path,
) -> None:
    """Judges conversations whose texts have their names as `(note 7)`, with faults in between.

    Checks that all get exactly one verdict, and that no money is missing from the accounts.
    """
    killed_at = 8 + len(transcripts) // 2

    def fault_of(number: int) -> Fault:
        if number == killed_at:
            server.kill()
        return TIMEOUT if number == TIMEOUT_AT else FAULTS.get(number % 10)

    caller = Caller(file)
    with faulty_proxy(server.url, fault_of) as proxy:
        first = make_judge(proxy.url, timeout_s)
        sentence = caller.run(first, transcripts)
        assert sentence is not None
        assert "does not answer" in sentence or "got no answer" in sentence
        saved, before = caller.saved(), len(proxy.bodies)
        assert 0 < len(saved) < len(transcripts)
        server.start()
        proxy.target = server.url
        second = make_judge(proxy.url, 600)
        assert caller.run(second, transcripts) is None
        assert not names_in(proxy.bodies[before:]) & {row["conversation"] for row in saved}
        rows = caller.saved()
        assert sorted(row["conversation"] for row in rows) == sorted(
            one.conversation for one in transcripts
        )
        assert {row["status"] for row in rows} <= {JUDGED, INVALID}
        assert any(row["status"] == JUDGED for row in rows)
        check_accounts(proxy, [first, second], sum(row["cost"] for row in rows))


def check_accounts(proxy: FaultyProxy, judges: list[LlmJudge], paid: float) -> None:
    """Checks the faults and the cost against what the proxy has seen."""
    faults = [judge.tally.faults for judge in judges]
    assert {fault for counts in faults for fault in counts} >= _KINDS
    tokens = [judge.tally.tokens for judge in judges]
    known = (sum(one.read for one in tokens), sum(one.written for one in tokens))
    if sum(counts["timeout"] for counts in faults) == 1:
        # On a slow machine, other answers may come too late.
        assert known == (proxy.read_tokens, proxy.written_tokens)
    spent = sum(judge.spent for judge in judges)
    true_cost = proxy.read_tokens * PRICES.read + proxy.written_tokens * PRICES.written
    assert spent >= (true_cost + proxy.lost_tokens * PRICES.read) / 1e6
    assert paid <= spent + 1e-9


def names_in(bodies: list[str]) -> set[str]:
    """Returns the names of the conversations in some requests."""
    return {found[1] for body in bodies if (found := _NAME.search(body))}
