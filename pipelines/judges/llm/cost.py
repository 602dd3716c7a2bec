"""Accounts for what judging costs, and stops before it costs more than the operator allows.

A request is sent only if the most that it can cost still fits. Afterwards what it did cost, by the
endpoint's own count of tokens, takes the place of that. If the endpoint doesn't say, or the
connection broke, the most that it can cost is counted: a limit must hold for what nobody could see.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Final, NamedTuple

from schemas.failures import InputError

_MILLION: Final = 1_000_000
_FRAME_TOKENS: Final = 200
"""More tokens than any chat template adds around two or four messages."""
_LOOK_AGAIN_S: Final = 0.2


class Tokens(NamedTuple):
    """How many tokens an endpoint read and wrote."""

    read: int
    written: int


FREE: Final = Tokens(0, 0)
"""The tokens of a request that nobody charges for."""


class Prices(NamedTuple):
    """Prices of a million tokens that the endpoint reads and writes, in any currency."""

    read: float = 0.0
    written: float = 0.0

    def of(self, tokens: Tokens) -> float:
        """Returns what the tokens cost."""
        return (tokens.read * self.read + tokens.written * self.written) / _MILLION


def most_tokens(size_bytes: int, answer_tokens: int) -> Tokens:
    """Returns the most tokens that a request can have.

    Args:
      size_bytes: size of all that is sent, in UTF-8. No tokenizer makes more than one token of a
        byte.
      answer_tokens: the limit of the answer that is sent with the request.
    """
    return Tokens(size_bytes + _FRAME_TOKENS, answer_tokens)


class SpentError(Exception):
    """Raised when a request no longer fits into the limit."""


class Budget:
    """What may be spent, what was spent, and what the open requests can cost at most."""

    def __init__(self, prices: Prices, most: float | None = None) -> None:
        if min(prices) < 0 or not all(map(math.isfinite, prices)):
            raise InputError(
                f"price_in and price_out can't be negative, got {prices.read:g} and "
                f"{prices.written:g}"
            )
        if most is not None and not most > 0:
            raise InputError(f"max_cost must be positive, got {most:g}; use e.g. 5")
        if most is not None and not any(prices):
            raise InputError(
                "max_cost needs the prices of a million tokens: give price_in and price_out"
            )
        self._prices = prices
        self._most = math.inf if most is None else most
        self._spent = self._reserved = 0.0
        self._open = 0
        self._changed = threading.Condition()

    @property
    def spent(self) -> float:
        """What was spent, in the currency of the prices."""
        return self._spent

    @property
    def most(self) -> float:
        """What may be spent; infinite without a limit."""
        return self._most

    def reserve(self, tokens: Tokens, is_stopped: Callable[[], bool]) -> float:
        """Reserves the most that a request can cost, and returns it.

        Waits for the open requests if the limit is too near, because they mostly cost less.

        Raises:
          SpentError: if the request doesn't fit although no other one is open, or judging stops.
        """
        cost = self._prices.of(tokens)
        with self._changed:
            while self._spent + self._reserved + cost > self._most:
                if not self._open or is_stopped():
                    raise SpentError
                self._changed.wait(_LOOK_AGAIN_S)
            self._reserved += cost
            self._open += 1
        return cost

    def settle(self, reserved: float, tokens: Tokens | None) -> float:
        """Replaces a reservation by the cost of a request, and returns that cost.

        Args:
          reserved: what `reserve` returned.
          tokens: the tokens of the request; `FREE` if nobody charges for it; None if they are not
            known.
        """
        cost = reserved if tokens is None else self._prices.of(tokens)
        with self._changed:
            self._open -= 1
            self._reserved = self._reserved - reserved if self._open else 0.0
            self._spent += cost
            self._changed.notify_all()
        return cost
