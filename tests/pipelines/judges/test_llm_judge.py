"""The judge `llm`, against a real server on loopback with scripted answers."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.judges.interface import Verdict
from pipelines.judges.llm.cost import Prices
from pipelines.judges.llm.pace import Patience
from schemas.failures import InputError
from schemas.judged import INVALID, JUDGED, REFUSED
from tests.pipelines.judges.endpoint import Canned, Received, Respond, answer, endpoint, valid
from tests.pipelines.judges.judging import (
    HASTE,
    Caller,
    conversation,
    conversations,
    judge_at,
    until_stopped,
)
from tests.pipelines.judges.resuming import PRICES, check_resuming

ROOT = Path(__file__).parents[3]
IMPATIENT = Patience(tries=2, timeout_s=0.3, first_s=0.01, most_s=0.02)

each_api = pytest.mark.parametrize("api", ["openai", "anthropic"])


def in_turn(*steps: Respond | Canned) -> Respond:
    """Answers each request with the next step, and from then on with the last one."""
    left, lock = list(steps), threading.Lock()

    def respond(received: Received) -> Canned:
        with lock:
            step = left.pop(0) if len(left) > 1 else left[0]
        return step if isinstance(step, Canned) else step(received)

    return respond


def saying(text: str) -> Respond:
    """Answers with a text."""
    return lambda _: Canned(text)


def judged(respond: Respond, count: int = 1, api: str = "openai") -> list[Verdict]:
    """Judges some conversations at an endpoint."""
    with endpoint(respond) as server:
        return list(judge_at(server.url, api=api).judge(conversations(count)))


@each_api
def test_valid_labels_are_a_verdict(api: str) -> None:
    """Both kinds of endpoints are asked in their format, and their answer is read."""
    moods = {"opening_moods": [-1], "closing_moods": [0.5]}
    (verdict,) = judged(lambda r: Canned(answer(r.id, "affective", **moods)), api=api)
    assert (verdict.conversation, verdict.started_at_us, verdict.status) == ("0", 1, JUDGED)
    assert verdict.labels is not None
    assert (verdict.labels.use, verdict.labels.types) == ("affective", ("counseling",))
    assert (verdict.labels.mood_start, verdict.labels.mood_end) == (-1, 0.5)


def test_a_schema_is_asked_for() -> None:
    """OpenAI's format carries the schema, no randomness, and a limit of the answer."""
    with endpoint() as server:
        list(judge_at(server.url).judge(conversations(1)))
    (received,) = server.received
    assert received.path == "/v1/chat/completions"
    assert received.body["response_format"]["json_schema"]["strict"] is True
    assert received.body["temperature"] == 0
    assert received.body["max_tokens"] == 400


def test_anthropic_gets_a_schema_it_takes() -> None:
    """Anthropic's format carries the schema without the lengths of lists, which it refuses."""
    with endpoint() as server:
        list(judge_at(server.url, api="anthropic").judge(conversations(1)))
    (received,) = server.received
    assert received.path == "/v1/messages"
    assert received.body["output_config"]["format"]["type"] == "json_schema"
    assert "Items" not in str(received.body["output_config"])
    assert "temperature" not in received.body


@each_api
def test_an_invalid_answer_is_asked_for_again(api: str) -> None:
    """The model sees its own answer and what is wrong with it; both answers are paid."""
    wrong = in_turn(lambda r: Canned(answer(r.id, "gardening")), valid)
    with endpoint(wrong) as server:
        judge = judge_at(server.url, api=api, prices=Prices(1, 10))
        (verdict,) = judge.judge(conversations(1))
    assert verdict.status == JUDGED
    assert verdict.cost == pytest.approx(2 * (1000 * 1 + 100 * 10) / 1e6)
    *_, own, complaint = server.received[1].body["messages"]
    assert "gardening" in own["content"]
    assert "use must be one of affective, content_creation" in complaint["content"]
    assert judge.tally.asked_again == 1


@pytest.mark.parametrize(
    "text", ["no labels", '{"conversation": 3}', "[1, 2]", "", answer("00000000")]
)
def test_an_answer_that_stays_invalid_is_invalid(text: str) -> None:
    """After two answers the status is invalid, and the conversation is not asked about again."""
    with endpoint(saying(text)) as server:
        (verdict,) = judge_at(server.url).judge(conversations(1))
    assert (verdict.status, verdict.labels) == (INVALID, None)
    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("api", "canned"),
    [
        ("openai", Canned(refusal="No.")),
        ("openai", Canned(stop="content_filter")),
        ("openai", Canned(status=400, error={"code": "content_filter"})),
        ("openai", Canned("I'm sorry, but I can't help with that.")),
        ("openai", Canned("抱歉，我无法标注这段对话。")),
        ("anthropic", Canned(stop="refusal")),
    ],
)
def test_a_refusal_is_refused(api: str, canned: Canned) -> None:
    """A refusal is a verdict, whether the endpoint marks it or the model says it in words."""
    (verdict,) = judged(in_turn(canned), api=api)
    assert (verdict.status, verdict.labels) == (REFUSED, None)


def test_a_cut_answer_is_told_to_be_shorter() -> None:
    """An answer that reached its limit is asked for again."""
    with endpoint(in_turn(Canned('{"conversation": {', stop="length"), valid)) as server:
        (verdict,) = judge_at(server.url).judge(conversations(1))
    assert verdict.status == JUDGED
    assert "too long" in server.received[1].body["messages"][-1]["content"]


@each_api
@pytest.mark.parametrize(
    "fault",
    [
        Canned(status=429, headers={"Retry-After": "0"}),
        Canned(status=500),
        Canned(status=503),
        Canned(resets=True),
        Canned(raw=b'{"choices": [{"mess'),
        Canned(raw=b"<html>busy</html>"),
        Canned(raw=b'{"choices": [], "content": 1}'),
    ],
    ids=["429", "500", "503", "reset", "truncated", "html", "empty"],
)
def test_a_passing_fault_is_tried_again(api: str, fault: Canned) -> None:
    """One failed request of any kind changes nothing but the tally."""
    with endpoint(in_turn(fault, valid)) as server:
        judge = judge_at(server.url, api=api)
        (verdict,) = judge.judge(conversations(1))
    assert verdict.status == JUDGED
    assert sum(judge.tally.faults.values()) == 1
    assert judge.tally.requests == 2


@each_api
def test_a_request_that_takes_too_long_is_tried_again(api: str) -> None:
    """A request without an answer within its time is given up and sent again."""
    with endpoint(in_turn(Canned(hangs=True), valid)) as server:
        judge = judge_at(server.url, api=api, patience=IMPATIENT)
        (verdict,) = judge.judge(conversations(1))
    assert verdict.status == JUDGED
    assert judge.tally.faults == {"timeout": 1}


def test_an_outage_stops_and_keeps_what_was_judged() -> None:
    """After three conversations without an answer, judging ends with one sentence."""
    with endpoint(in_turn(valid, valid, Canned(status=500))) as server:
        judge = judge_at(server.url)
        verdicts, sentence = until_stopped(judge, conversations(50))
    assert [verdict.conversation for verdict in verdicts] == ["0", "1"]
    assert sentence.startswith("the endpoint does not answer (status 500); what was judged is kept")
    assert len(server.received) == 2 + 3 * HASTE.tries


def test_a_conversation_without_an_answer_is_left_for_the_next_run(tmp_path: Path) -> None:
    """It has no verdict, the error counts it, and the next run asks about it alone."""
    broken = threading.Event()

    def fails_for_3(received: Received) -> Canned:
        is_3 = "country 3?" in received.text and not broken.is_set()
        return Canned(status=502) if is_3 else valid(received)

    caller = Caller(tmp_path / "verdicts.jsonl")
    with endpoint(fails_for_3) as server:
        sentence = caller.run(judge_at(server.url), conversations(6))
        assert sentence is not None
        assert sentence.startswith("1 conversations got no answer (status 502)")
        broken.set()
        assert caller.run(judge_at(server.url), conversations(6)) is None
    names = [row["conversation"] for row in caller.saved()]
    assert names == ["0", "1", "2", "4", "5", "3"]


@pytest.mark.parametrize(
    ("status", "cure"), [(401, "check the key"), (403, "may do"), (404, "llm_url and llm_model")]
)
def test_a_wrong_setting_stops_at_once(status: int, cure: str) -> None:
    """A refusal that no retry can change ends judging after one request."""
    with endpoint(in_turn(Canned(status=status))) as server:
        verdicts, sentence = until_stopped(judge_at(server.url), conversations(50))
    assert verdicts == []
    assert f"(status {status})" in sentence
    assert cure in sentence
    assert len(server.received) == 1


def test_an_endpoint_that_takes_no_request_is_not_a_verdict() -> None:
    """If every request is refused, the setting is wrong, and no conversation is called invalid."""
    verdicts, sentence = until_stopped_at(Canned(status=400), 10)
    assert verdicts == []
    assert sentence.startswith("the endpoint refuses the requests (status 400)")
    assert until_stopped_at(Canned(status=400), 1)[0] == []


def until_stopped_at(canned: Canned, count: int) -> tuple[list[Verdict], str]:
    """Judges some conversations at an endpoint that always answers the same."""
    with endpoint(in_turn(canned)) as server:
        return until_stopped(judge_at(server.url), conversations(count))


def test_a_conversation_that_the_endpoint_can_not_take_is_invalid() -> None:
    """If others are answered, a refused request says something about its conversation."""
    verdicts = judged(lambda r: Canned(status=413) if "country 0?" in r.text else valid(r), count=3)
    assert {verdict.conversation: verdict.status for verdict in verdicts} == {
        "0": INVALID, "1": JUDGED, "2": JUDGED,
    }  # fmt: skip


@each_api
def test_an_endpoint_without_schemas_is_asked_in_words(api: str) -> None:
    """The endpoint refuses a schema once; from then on it is not sent one."""

    def no_format(received: Received) -> Canned:
        has_format = "response_format" in received.body or "output_config" in received.body
        return Canned(status=400) if has_format else Canned(f"Sure:\n```{answer(received.id)}```")

    with endpoint(no_format) as server:
        verdicts = list(judge_at(server.url, api=api).judge(conversations(3)))
    assert [verdict.status for verdict in verdicts] == [JUDGED] * 3
    refused = 2 if api == "openai" else 1
    assert len(server.received) <= 3 + refused


@pytest.mark.parametrize("option", ["temperature", "max_tokens"])
def test_an_option_that_the_model_does_not_take_is_left_out(option: str) -> None:
    """Models that reason take no temperature, and OpenAI's newer ones name the limit otherwise."""

    def picky(received: Received) -> Canned:
        if option in received.body:
            return Canned(status=400, error={"message": f"Unsupported: {option}", "param": option})
        return valid(received)

    with endpoint(picky) as server:
        verdicts = list(judge_at(server.url).judge(conversations(5)))
    assert [verdict.status for verdict in verdicts] == [JUDGED] * 5
    assert sum(option in received.body for received in server.received) <= 2


def test_so_many_conversations_are_asked_about_at_a_time() -> None:
    """There are as many open requests as `concurrency` says, and never more."""
    together = threading.Barrier(3, timeout=10)
    open_, most, lock = 0, 0, threading.Lock()

    def respond(received: Received) -> Canned:
        nonlocal open_, most
        with lock:
            open_ += 1
            most = max(most, open_)
        together.wait()
        with lock:
            open_ -= 1
        return valid(received)

    with endpoint(respond) as server:
        verdicts = list(judge_at(server.url, concurrency=3).judge(conversations(9)))
    assert len({verdict.conversation for verdict in verdicts}) == 9
    assert most <= 3


def test_conversations_are_read_as_they_are_needed() -> None:
    """The judge holds no more conversations in memory than it asks about."""
    read = 0

    def source() -> object:
        nonlocal read
        for one in conversations(100):
            read += 1
            yield one

    with endpoint() as server:
        verdicts = judge_at(server.url, concurrency=2).judge(source())  # type: ignore[arg-type]
        for seen in range(1, 6):
            next(verdicts)
            assert read <= seen + 2
        verdicts.close()  # type: ignore[attr-defined]


def test_the_limit_is_never_exceeded() -> None:
    """Judging ends before the money is spent, and what was judged is kept."""
    price = Prices(10, 100)
    with endpoint() as server:
        judge = judge_at(server.url, prices=price, max_cost=0.5, concurrency=4)
        verdicts, sentence = until_stopped(judge, conversations(100))
    assert sentence.startswith("max_cost is reached: ")
    assert 10 <= len(verdicts) < 100
    assert sum(verdict.cost for verdict in verdicts) == pytest.approx(judge.spent)
    assert judge.spent == pytest.approx(0.02 * len(server.received))
    assert judge.spent <= 0.5


def test_a_request_that_can_not_be_paid_is_not_sent() -> None:
    """Without enough money for one request, there is none."""
    with endpoint() as server:
        judge = judge_at(server.url, prices=Prices(10, 100), max_cost=0.01)
        verdicts, sentence = until_stopped(judge, conversations(5))
    assert (verdicts, server.received) == ([], [])
    assert "0 of 0.01 is spent" in sentence


def test_without_a_count_of_tokens_the_most_is_charged() -> None:
    """What nobody could see is counted at the most it can cost, and said."""
    with endpoint(lambda r: valid(r)._replace(tokens=None)) as server:
        judge = judge_at(server.url, prices=Prices(1, 1))
        (verdict,) = judge.judge(conversations(1))
    sent = server.received[0]
    assert verdict.cost * 1e6 > len(sent.text.encode()) + len(sent.system.encode()) + 400
    assert any("without a count of tokens" in line for line in judge.tally.lines())


def test_faults_with_a_status_are_free() -> None:
    """A request that was answered with an error costs nothing."""
    with endpoint(in_turn(Canned(status=429), Canned(status=500), valid)) as server:
        judge = judge_at(server.url, prices=Prices(1, 10))
        (verdict,) = judge.judge(conversations(1))
    assert verdict.cost == pytest.approx(0.002)


def test_concurrency_has_a_range() -> None:
    """The error shows the value."""
    with pytest.raises(InputError, match="concurrency must be 1 to 64, got 0"):
        judge_at("http://127.0.0.1:9/v1", concurrency=0)


def test_a_caller_may_stop_early() -> None:
    """Closing the iterator stops the threads, even one that waits for minutes."""
    slow = Patience(tries=5, timeout_s=5, first_s=600, most_s=600)
    with endpoint(in_turn(valid, Canned(status=500))) as server:
        before = threading.active_count()
        judge = judge_at(server.url, patience=slow)
        verdicts = judge.judge(conversations(5))
        assert next(verdicts).status == JUDGED
        verdicts.close()  # type: ignore[attr-defined]
        wait_until(lambda: threading.active_count() <= before + 1)
        with pytest.raises(InputError, match="was stopped"):
            list(judge.judge(conversations(1)))


def test_a_judge_can_be_used_again() -> None:
    """A second use goes on with the same budget, and says only what it met itself."""
    with endpoint(in_turn(Canned(status=404), valid)) as server:
        judge = judge_at(server.url, prices=Prices(1, 10))
        assert until_stopped(judge, conversations(1))[0] == []
        verdicts, sentence = until_stopped(judge, conversations(4))
    assert (len(verdicts), sentence) == (4, "")
    assert judge.spent == pytest.approx(4 * 0.002)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Waits for something that threads do."""
    pause = threading.Event()
    for _ in range(500):
        if is_so():
            return
        pause.wait(0.01)
    pytest.fail("it did not become so within 5 s")


def test_an_interrupt_ends_at_once() -> None:
    """Ctrl-C ends a program whose requests are open, without waiting and without their text."""
    asked = threading.Event()

    def hangs(_: Received) -> Canned:
        asked.set()
        return Canned(hangs=True)

    code = (
        "import sys; from tests.pipelines.judges.judging import *\n"
        "judge = judge_at(sys.argv[1], concurrency=2, patience=Patience(timeout_s=300))\n"
        "list(judge.judge([conversation(str(n), 'canary') for n in range(5)]))"
    )
    with endpoint(hangs) as server:
        process = subprocess.Popen(
            [sys.executable, "-c", code, server.url],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert asked.wait(60)
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in printed
    assert "canary" not in printed


def test_a_long_conversation_fits() -> None:
    """A conversation of a thousand long messages is cut to what a request can hold."""
    texts = ["word " * 2_000] * 1_000
    with endpoint(
        lambda r: Canned(answer(r.id, opening_moods=[0] * 3, closing_moods=[0] * 3))
    ) as s:
        (verdict,) = judge_at(s.url).judge([conversation("long", *texts)])
    assert (verdict.status, verdict.human_messages) == (JUDGED, 500)
    assert len(s.received[0].text) < 42 * 2_200


class Mortal:
    """An endpoint with scripted answers that can be killed and started again."""

    def __init__(self) -> None:
        self._context = contextlib.ExitStack()
        self.start()

    def start(self) -> None:
        self.url = self._context.enter_context(endpoint(two_messages)).url

    def kill(self) -> None:
        self._context.close()


def two_messages(received: Received) -> Canned:
    """Answers about two human messages; a tenth of them gets an invalid answer first."""
    is_asked_again = len(received.body["messages"]) > 2
    is_wrong = "7)" in received.text and not is_asked_again
    labels = answer(received.id, opening_moods=[0, 0], closing_moods=[0, 0])
    return Canned("no labels" if is_wrong else labels)


def test_of_200_conversations_nothing_is_lost_or_judged_twice(tmp_path: Path) -> None:
    """Half of all requests fail, and the server dies midway; still each has one verdict."""
    server = Mortal()
    transcripts = [conversation(str(n), f"(note {n}) Hi", "Hello", "Bye") for n in range(200)]
    try:
        check_resuming(
            server,
            transcripts,
            lambda url, timeout_s: judge_at(
                url,
                patience=Patience(tries=8, timeout_s=timeout_s, first_s=0.01, most_s=0.02),
                prices=PRICES,
                max_cost=100,
                concurrency=4,
            ),
            1.0,
            tmp_path / "verdicts.jsonl",
        )
    finally:
        server.kill()
