"""Builders of conversations and of judges that ask an endpoint of a test."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines.judges.interface import Judge, Transcript, Turn, Verdict
from pipelines.judges.llm.anthropic_wire import AnthropicWire
from pipelines.judges.llm.client import Client
from pipelines.judges.llm.cost import Budget, Prices
from pipelines.judges.llm.excerpt import Cut
from pipelines.judges.llm.judge import LlmJudge
from pipelines.judges.llm.openai_wire import OpenAIWire
from pipelines.judges.llm.pace import Pace, Patience
from pipelines.judges.llm.prompt import asker, prompt_version
from pipelines.judges.llm.tally import Tally
from schemas.failures import InputError

WIRES: dict[str, type[OpenAIWire | AnthropicWire]] = {
    "openai": OpenAIWire,
    "anthropic": AnthropicWire,
}
HASTE = Patience(tries=3, timeout_s=5.0, first_s=0.01, most_s=0.02)
"""Tries again almost at once."""
FREE = Prices()


def conversation(name: str, *texts: str) -> Transcript:
    """Returns a conversation; its messages are said in turn, first by the person."""
    said = texts or (f"What is the capital of country {name}?",)
    turns = tuple(Turn(n % 2 == 0, text) for n, text in enumerate(said))
    return Transcript(name, 1, turns)


def conversations(count: int) -> list[Transcript]:
    """Returns conversations with the names 0, 1, 2 and so on."""
    return [conversation(str(n)) for n in range(count)]


def judge_at(
    url: str,
    *,
    api: str = "openai",
    model: str = "model",
    patience: Patience = HASTE,
    prices: Prices = FREE,
    max_cost: float | None = None,
    concurrency: int = 1,
    answer_tokens: int = 400,
    pace: Pace | None = None,
) -> LlmJudge:
    """Returns a judge that asks the endpoint with this URL."""
    if api == "anthropic":
        url = url.removesuffix("/v1")
    pace, tally, budget = pace or Pace(), Tally(), Budget(prices, max_cost)
    wire = WIRES[api](model, url, patience.timeout_s, answer_tokens)
    client = Client(wire, budget, pace, patience, answer_tokens, tally)
    version, ask = prompt_version(model, Cut()), asker(Cut())
    return LlmJudge(version, ask, client, budget, pace, tally, concurrency)


class Caller:
    """Saves each verdict to a file as soon as it has it, and asks only for those without one.

    It stands for the judging job.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        file.touch()

    def saved(self) -> list[dict[str, Any]]:
        """Returns all saved verdicts."""
        return [json.loads(line) for line in self._file.read_text().splitlines()]

    def run(self, judge: Judge, transcripts: Iterable[Transcript]) -> str | None:
        """Judges what has no verdict yet. Returns the sentence if the judge can't go on."""
        known = {row["conversation"] for row in self.saved()}
        left = (one for one in transcripts if one.conversation not in known)
        with self._file.open("a") as file:
            try:
                for verdict in judge.judge(left):
                    print(json.dumps(_row(verdict)), file=file, flush=True)
            except InputError as error:
                return str(error)
        return None


def _row(verdict: Verdict) -> Mapping[str, Any]:
    return {
        "conversation": verdict.conversation,
        "status": verdict.status,
        "use": verdict.labels and verdict.labels.use,
        "cost": verdict.cost,
    }


def until_stopped(judge: Judge, transcripts: Iterable[Transcript]) -> tuple[list[Verdict], str]:
    """Returns all verdicts, and the sentence of the error that ended judging, if one did."""
    verdicts: list[Verdict] = []

    def keep() -> Iterator[Verdict]:
        for verdict in judge.judge(transcripts):
            verdicts.append(verdict)
            yield verdict

    try:
        list(keep())
    except InputError as error:
        return verdicts, str(error)
    return verdicts, ""
