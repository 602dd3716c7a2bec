"""The limits of the judge `llm`: money, pace and patience; its flags; and its silence."""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.judges.interface import Transcript
from pipelines.judges.llm.cost import FREE, Budget, Prices, SpentError, Tokens, most_tokens
from pipelines.judges.llm.judge import LlmJudge
from pipelines.judges.llm.options import add_llm_arguments, llm_judge_of
from pipelines.judges.llm.pace import Pace, Patience, StoppedError
from pipelines.judges.llm.wire import asked_wait_s
from schemas.failures import InputError
from tests.pipelines.judges.endpoint import Canned, endpoint, valid
from tests.pipelines.judges.judging import conversation, judge_at, until_stopped

ROOT = Path(__file__).parents[3]
CANARY = "zebra-canary-5417"


def parsed(*flags: str) -> argparse.Namespace:
    """Reads flags of the judge."""
    parser = argparse.ArgumentParser()
    add_llm_arguments(parser)
    return parser.parse_args(flags)


def never() -> bool:
    """Says that judging goes on."""
    return False


def test_a_reservation_becomes_what_it_cost() -> None:
    """Afterwards the real cost counts, or the reservation if nobody knows it."""
    budget = Budget(Prices(1, 2), 10)
    reserved = budget.reserve(Tokens(1_000_000, 1_000_000), never)
    assert (reserved, budget.spent) == (3, 0)
    assert budget.settle(reserved, Tokens(500_000, 250_000)) == 1
    assert budget.settle(budget.reserve(Tokens(1_000_000, 0), never), None) == 1
    assert budget.settle(budget.reserve(Tokens(1_000_000, 0), never), FREE) == 0
    assert budget.spent == 2


def test_a_request_waits_for_those_that_may_cost_less() -> None:
    """A request that doesn't fit yet is sent as soon as an open one turns out cheaper."""
    budget = Budget(Prices(1, 0), 1.5)
    first = budget.reserve(Tokens(1_000_000, 0), never)
    got: list[float] = []
    thread = threading.Thread(
        target=lambda: got.append(budget.reserve(Tokens(1_000_000, 0), never))
    )
    thread.start()
    budget.settle(first, Tokens(400_000, 0))
    thread.join(10)
    assert got == [1]


def test_a_request_that_never_fits_is_refused() -> None:
    """If nothing is open, waiting would not help."""
    budget = Budget(Prices(1, 0), 0.9)
    with pytest.raises(SpentError):
        budget.reserve(Tokens(1_000_000, 0), never)


def test_no_text_has_more_tokens_than_bytes() -> None:
    """The most a request can cost counts a token for each byte, and some for the frame."""
    assert most_tokens(1_000, 50) == (1_200, 50)


@pytest.mark.parametrize(
    ("prices", "most", "fault"),
    [
        ((0, 0), 5, "needs the prices"),
        ((-1, 0), None, "can't be negative"),
        ((float("nan"), 1), None, "can't be negative"),
        ((1, 1), 0, "must be positive, got 0"),
        ((1, 1), float("nan"), "must be positive"),
    ],
)
def test_wrong_amounts_are_refused(
    prices: tuple[float, float], most: float | None, fault: str
) -> None:
    """The error says which flag is wrong."""
    with pytest.raises(InputError, match=fault):
        Budget(Prices(*prices), most)


def test_requests_are_spaced() -> None:
    """With 60 requests a minute, each waits for the one before."""
    waited: list[float] = []

    class Recorded(Pace):
        def wait(self, wait_s: float) -> None:
            waited.append(wait_s)

    pace = Recorded(60, clock_s=lambda: 100.0)
    for _ in range(3):
        pace.await_turn()
    pace.hold_back(30)
    pace.await_turn()
    assert waited == [0, 1, 2, 30]


def test_a_stop_ends_all_waiting() -> None:
    """A thread that waits for minutes ends at once."""
    pace = Pace()
    threading.Timer(0.05, pace.stop).start()
    with pytest.raises(StoppedError):
        pace.wait(600)


def test_waits_double_and_are_spread() -> None:
    """The wait doubles up to its limit, and is between half of it and all of it."""
    patience = Patience(first_s=1, most_s=8)
    assert [patience.wait_s(n, None, 1.0) for n in (1, 2, 3, 4, 5)] == [1, 2, 4, 8, 8]
    assert patience.wait_s(3, None, 0.0) == 2


def test_what_the_endpoint_asks_for_is_honoured() -> None:
    """The wait is no shorter than asked for, within reason."""
    patience = Patience()
    assert patience.wait_s(1, 45, 0.5) == 45
    assert patience.wait_s(1, 86_400, 0.5) == 600
    assert patience.wait_s(4, 0, 1.0) == 8


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "Mon, 05 Jan 2026 10:00:30 GMT"}, 30),
        ({"retry-after": "Mon, 05 Jan 2026 09:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
    ],
)
def test_the_wait_is_read_from_the_headers(headers: dict[str, str], wait_s: float | None) -> None:
    """Seconds, milliseconds and dates are known."""
    assert asked_wait_s(headers, datetime(2026, 1, 5, 10, tzinfo=UTC)) == wait_s


def test_the_flags_describe_a_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the model and the URL alone, the judge works; the key is read from the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with endpoint() as server:
        judge = llm_judge_of(parsed("--llm_model", "m", "--llm_url", server.url))
        (verdict,) = judge.judge([conversation("a")])
    assert (judge.name, verdict.status) == ("llm", "judged")
    assert judge.version.startswith("m-")
    assert server.received[0].headers["authorization"] == "Bearer sk-secret"


@pytest.mark.parametrize(
    ("flags", "fault"),
    [
        ([], "needs llm_model"),
        (["--llm_model=m"], "set OPENAI_API_KEY"),
        (["--llm_model=m", "--llm_api=anthropic"], "set ANTHROPIC_API_KEY"),
        (["--llm_model=m", "--max_cost=5"], "needs the prices"),
        (["--llm_model=m", "--requests_per_minute=0"], "requests_per_minute must be positive"),
        (["--llm_model=m", "--request_timeout=0s"], "request_timeout must be positive"),
        (["--llm_model=m", "--max_answer_tokens=0"], "max_answer_tokens must be at least 1"),
        (["--llm_model=m", "--llm_url=http://127.0.0.1:9", "--concurrency=0"], "concurrency"),
    ],
)
def test_wrong_flags_are_refused(
    flags: list[str], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence says what is missing or out of range, before anything is read or sent."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match=fault):
        llm_judge_of(parsed(*flags))


@pytest.mark.parametrize("package", ["openai", "anthropic"])
def test_a_missing_client_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the optional extra, one sentence says how to install it."""
    monkeypatch.setitem(sys.modules, package, None)
    flags = parsed("--llm_model=m", f"--llm_api={package}", "--llm_url=http://127.0.0.1:9")
    with pytest.raises(InputError, match=rf"package {package}; .*'undertone\[judges\]'"):
        llm_judge_of(flags)


def test_judges_are_importable_without_the_clients() -> None:
    """Importing every module of the judge imports no client."""
    code = (
        "import sys, pkgutil, importlib, pipelines.judges.llm as llm\n"
        "for found in pkgutil.iter_modules(llm.__path__, llm.__name__ + '.'):\n"
        "    importlib.import_module(found.name)\n"
        "assert not {'openai', 'anthropic', 'httpx2', 'pydantic'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


FAULTS = {
    "valid": valid,
    "invalid": lambda _: Canned(f"no labels but {CANARY}"),
    "500": lambda _: Canned(status=500, error={"message": CANARY, "code": CANARY}),
    "400": lambda _: Canned(status=400, error={"message": CANARY}),
    "401": lambda _: Canned(status=401, error={"message": CANARY}),
    "truncated": lambda _: Canned(raw=f'{{"choices": "{CANARY}'.encode()),
    "shape": lambda _: Canned(raw=f'{{"choices": "{CANARY}", "content": 5}}'.encode()),
    "reset": lambda _: Canned(resets=True),
    "echo": lambda received: Canned(received.text),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_no_text_is_logged_or_raised(
    fault: str, api: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong, text is in no log, exception or verdict, even when all is logged."""
    caplog.set_level(logging.DEBUG)
    for name in ("openai", "anthropic", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    with endpoint(FAULTS[fault]) as server:
        judge = judge_at(server.url, api=api)
        said = all_that_is_told(judge, [conversation("a", f"my secret is {CANARY}")])
    assert CANARY in server.received[0].text
    assert CANARY not in said
    assert CANARY not in caplog.text
    assert CANARY not in " ".join(judge.tally.lines())


def all_that_is_told(judge: LlmJudge, transcripts: list[Transcript]) -> str:
    """Returns the verdicts, or all that a crash report could show of the error."""
    try:
        return repr(list(judge.judge(transcripts)))
    except InputError as error:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        ours = [f.f_locals for f in frames if "judges/llm" in f.f_code.co_filename]
        causes = (error.__cause__, error.__context__)
        return "".join(traceback.format_exception(error)) + repr((ours, causes))


def test_a_fault_of_the_program_shows_its_place_alone() -> None:
    """An unexpected error ends judging, without the message that may hold text."""
    with endpoint() as server:
        judge = judge_at(server.url)
        judge._ask = lambda _: (_ for _ in ()).throw(KeyError(CANARY))
        with pytest.raises(RuntimeError, match=r"KeyError at test_llm_limits\.py:\d+") as raised:
            list(judge.judge([conversation("a", CANARY)]))
    assert CANARY not in "".join(traceback.format_exception(raised.value))


def test_the_key_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The key is in no log and no error."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    with endpoint(lambda _: Canned(status=401)) as server:
        _, sentence = until_stopped(judge_at(server.url), [conversation("a")])
    assert server.received[0].headers["authorization"] == f"Bearer {CANARY}"
    assert CANARY not in sentence + caplog.text
