"""What the two kinds of endpoints have in common: replies, failures, and how to ask for JSON.

A reply or a failure is a value. The exceptions of the clients hold requests and answers, so they go
no further than the modules that call the clients.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple, Protocol

from pipelines.judges.llm.cost import Tokens
from schemas.failures import InputError

_TALKATIVE: Final = ("anthropic", "openai", "httpcore", "httpcore2", "httpx", "httpx2")
_SILENT: Final = logging.CRITICAL + 1

TIMEOUT: Final = "timeout"
CONNECTION: Final = "connection"
GARBLED: Final = "garbled"
FILTERED: Final = "filtered"
STATUS: Final = "status"


class Structure(enum.IntEnum):
    """How an endpoint is asked for JSON, from the strictest."""

    SCHEMA = 0
    """The endpoint makes the answer follow a JSON schema."""
    OBJECT = 1
    """The endpoint makes the answer some JSON object."""
    TEXT = 2
    """Only the prompt asks for JSON."""


class Message(NamedTuple):
    """One message to or from the model."""

    is_ours: bool
    text: str

    def __repr__(self) -> str:
        return f"Message({len(self.text)} characters)"


class Reply(NamedTuple):
    """What an endpoint answered.

    Attributes:
      text: the answer.
      is_refusal: whether the endpoint marks the answer as a refusal.
      is_cut: whether the answer reached its limit of tokens.
      tokens: how many tokens were used; None if the endpoint doesn't say.
    """

    text: str
    is_refusal: bool
    is_cut: bool
    tokens: Tokens | None

    def __repr__(self) -> str:
        return f"Reply({len(self.text)} characters)"


class Failure(NamedTuple):
    """Why there is no reply.

    Attributes:
      kind: `TIMEOUT`, `CONNECTION`, `GARBLED` (an answer that is not JSON of the interface),
        `FILTERED` (the endpoint refuses the conversation), or `STATUS`.
      status: the HTTP status, if the kind is `STATUS`.
      asked_s: how many seconds the endpoint asks to wait.
    """

    kind: str
    status: int = 0
    asked_s: float | None = None

    def __str__(self) -> str:
        return f"status {self.status}" if self.status else self.kind

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later."""
        passing = self.status in (408, 409, 425, 429) or self.status >= 500
        return passing if self.status else self.kind != FILTERED

    @property
    def is_about_the_request(self) -> bool:
        """Whether the endpoint can't take this request, but perhaps others."""
        return self.status in (400, 413, 422)

    @property
    def may_have_cost(self) -> bool:
        """Whether the endpoint may have answered, and charged for it, although nothing came."""
        return not self.status and self.kind != FILTERED


class Wire(Protocol):
    """Sends one request to one kind of endpoint. Safe to use from several threads."""

    def send(
        self,
        system: str,
        messages: Sequence[Message],
        schema: Mapping[str, Any],
        structure: Structure,
    ) -> Reply | Failure:
        """Sends one request, once."""
        ...


def silence_clients() -> None:
    """Ends the logs of the clients. Asked to debug, they log whole requests."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(_SILENT)


def missing_package(name: str) -> InputError:
    """Returns the error for a client that isn't installed."""
    return InputError(
        f"the judge llm needs the package {name}; install it with pip install 'undertone[judges]'"
    )


def asked_wait_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Returns the wait that an answer's headers ask for, in seconds, or None."""
    for name, unit_s in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name, "")
        try:
            return max(float(value) * unit_s, 0.0)
        except ValueError:
            pass
    try:
        at = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max((at - (now or datetime.now(UTC))).total_seconds(), 0.0)
