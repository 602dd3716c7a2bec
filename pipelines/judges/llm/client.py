"""Asks an endpoint until it answers: paced, within the budget, and again after failures."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from pipelines.judges.llm.cost import FREE, Budget, Tokens, most_tokens
from pipelines.judges.llm.pace import Pace, Patience
from pipelines.judges.llm.tally import Tally
from pipelines.judges.llm.wire import Failure, Message, Reply, Structure, Wire


class Asked(NamedTuple):
    """What came of asking, and what it cost, failed requests included."""

    outcome: Reply | Failure
    cost: float


class Client:
    """Sends requests through a wire. Safe to use from several threads."""

    def __init__(
        self,
        wire: Wire,
        budget: Budget,
        pace: Pace,
        patience: Patience,
        answer_tokens: int,
        tally: Tally,
    ) -> None:
        self._wire = wire
        self._budget = budget
        self._pace = pace
        self._patience = patience
        self._answer_tokens = answer_tokens
        self._tally = tally
        self._structure = Structure.SCHEMA
        self._lock = threading.Lock()

    def ask(self, system: str, messages: Sequence[Message], schema: Mapping[str, Any]) -> Asked:
        """Asks until there is a reply, or a failure that won't pass.

        If the endpoint refuses the request, asks less strictly for JSON. If that helps, all later
        requests are asked that way.

        Raises:
          SpentError: if a request no longer fits into the budget.
          StoppedError: if judging stops.
        """
        cost = 0.0
        first: Failure | None = None
        for structure in Structure:
            if structure < self._structure:
                continue
            asked = self._ask(system, messages, schema, structure)
            cost += asked.cost
            if isinstance(asked.outcome, Reply):
                with self._lock:
                    self._structure = max(self._structure, structure)
                return Asked(asked.outcome, cost)
            first = first or asked.outcome
            if not asked.outcome.is_about_the_request:
                return Asked(asked.outcome, cost)
        assert first is not None
        return Asked(first, cost)

    def _ask(
        self,
        system: str,
        messages: Sequence[Message],
        schema: Mapping[str, Any],
        structure: Structure,
    ) -> Asked:
        cost = 0.0
        failures = 0
        while True:
            outcome, paid = self._send(system, messages, schema, structure)
            cost += paid
            if isinstance(outcome, Reply) or not outcome.may_pass:
                return Asked(outcome, cost)
            failures += 1
            if failures >= self._patience.tries:
                return Asked(outcome, cost)
            wait_s = self._patience.wait_s(failures, outcome.asked_s, self._pace.chance())
            if outcome.asked_s is not None:
                self._pace.hold_back(wait_s)
            self._pace.wait(wait_s)

    def _send(
        self,
        system: str,
        messages: Sequence[Message],
        schema: Mapping[str, Any],
        structure: Structure,
    ) -> tuple[Reply | Failure, float]:
        """Sends one request, and returns what came of it and what it cost."""
        sent = [system, msgspec.json.encode(schema).decode(), *(m.text for m in messages)]
        most = most_tokens(sum(len(text.encode()) for text in sent), self._answer_tokens)
        reserved = self._budget.reserve(most, self._pace.is_stopped)
        tokens: Tokens | None = FREE
        failure: Failure | None = None
        try:
            self._pace.await_turn()
            tokens = None  # From here on the endpoint may charge.
            outcome = self._wire.send(system, messages, schema, structure)
            if isinstance(outcome, Reply):
                tokens = outcome.tokens
            else:
                failure = outcome
                tokens = None if failure.may_have_cost else FREE
        finally:
            cost = self._budget.settle(reserved, tokens)
        self._tally.count_request(tokens, failure)
        return outcome, cost
