"""Spaces requests: no more than so many a minute, and none while the endpoint asks to wait."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec

from schemas.failures import InputError

_MINUTE_S: Final = 60.0


class StoppedError(Exception):
    """Raised in a waiting thread when judging stops."""


class Patience(msgspec.Struct, frozen=True):
    """How often and how long a request is tried.

    Attributes:
      tries: how often one request is sent, the first time included.
      timeout_s: how long one answer may take, in seconds.
      first_s, most_s: the wait after the first failure, which doubles with each one, and its limit.
      most_asked_s: the longest wait that an endpoint can ask for with `Retry-After`.
    """

    tries: int = 6
    timeout_s: float = 120.0
    first_s: float = 1.0
    most_s: float = 60.0
    most_asked_s: float = 600.0

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise InputError(f"tries must be at least 1, got {self.tries}")
        if not self.timeout_s > 0:
            raise InputError(
                f"request_timeout must be positive, got {self.timeout_s:g} s; use e.g. 2m"
            )

    def wait_s(self, failures: int, asked_s: float | None, chance: float) -> float:
        """Returns how long to wait after a failure, in seconds.

        Args:
          failures: how often the request has failed.
          asked_s: what the endpoint asked for, if it did.
          chance: a random number in [0, 1). It spreads out the requests that failed together.
        """
        backoff_s = min(self.first_s * 2.0 ** (failures - 1), self.most_s) * (0.5 + chance / 2)
        return backoff_s if asked_s is None else max(backoff_s, min(asked_s, self.most_asked_s))


class Pace:
    """Lets the threads of a judge send requests one after another."""

    def __init__(
        self,
        per_minute: float | None = None,
        clock_s: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if per_minute is not None and not per_minute > 0:
            raise InputError(
                f"requests_per_minute must be positive, got {per_minute:g}; use e.g. 60"
            )
        self._gap_s = _MINUTE_S / per_minute if per_minute else 0.0
        self._clock_s = clock_s
        self._next_s = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.chance = chance

    def await_turn(self) -> None:
        """Waits until the next request may be sent.

        Raises:
          StoppedError: if judging stops.
        """
        with self._lock:
            now_s = self._clock_s()
            turn_s = max(self._next_s, now_s)
            self._next_s = turn_s + self._gap_s
        self.wait(turn_s - now_s)

    def hold_back(self, wait_s: float) -> None:
        """Lets no thread send a request for some seconds."""
        with self._lock:
            self._next_s = max(self._next_s, self._clock_s() + wait_s)

    def wait(self, wait_s: float) -> None:
        """Waits, or raises StoppedError as soon as judging stops."""
        if self._stop.wait(max(wait_s, 0.0)):
            raise StoppedError

    def stop(self) -> None:
        """Ends all waiting, now and later."""
        self._stop.set()

    def is_stopped(self) -> bool:
        """Tells whether judging stops."""
        return self._stop.is_set()
