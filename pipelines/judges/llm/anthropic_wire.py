"""Talks to Anthropic's endpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from pipelines.judges.llm.cost import Tokens
from pipelines.judges.llm.wire import (
    CONNECTION,
    GARBLED,
    STATUS,
    TIMEOUT,
    Failure,
    Message,
    Reply,
    Structure,
    asked_wait_s,
    missing_package,
    silence_clients,
)
from schemas.failures import InputError

_KEY: Final = "ANTHROPIC_API_KEY"
_UNSUPPORTED: Final = ("minItems", "maxItems")
"""Keywords that structured outputs don't take. `read_answer` checks what they say, apart from the
longest lists."""


class _Block(msgspec.Struct):
    type: str
    text: str = ""


class _Usage(msgspec.Struct):
    input_tokens: int
    output_tokens: int = 0
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class _Answer(msgspec.Struct):
    content: list[_Block]
    stop_reason: str | None = None
    usage: _Usage | None = None


class AnthropicWire:
    """Sends requests to `/v1/messages`."""

    def __init__(self, model: str, url: str, timeout_s: float, answer_tokens: int) -> None:
        """Makes the client; the arguments are those of `OpenAIWire`.

        Raises:
          InputError: if the client isn't installed, or a key is needed and not set.
        """
        try:
            import anthropic  # noqa: PLC0415 (optional, and takes a second)
        except ImportError:
            raise missing_package("anthropic") from None
        key = os.environ.get(_KEY)
        if not url and not key:
            raise InputError(f"set {_KEY} to the key of the endpoint, or name another --llm_url")
        silence_clients()
        self._anthropic = anthropic
        self._client = anthropic.Anthropic(
            base_url=url or None, api_key=key or "none", timeout=timeout_s, max_retries=0
        )
        self._model = model
        self._answer_tokens = answer_tokens

    def send(
        self,
        system: str,
        messages: Sequence[Message],
        schema: Mapping[str, Any],
        structure: Structure,
    ) -> Reply | Failure:
        """Sends one request, once."""
        said = [{"role": "user" if m.is_ours else "assistant", "content": m.text} for m in messages]
        options: dict[str, Any] = {}
        if structure is Structure.SCHEMA:
            options["output_config"] = {
                "format": {"type": "json_schema", "schema": _supported(schema)}
            }
        api: Any = self._client.messages.with_raw_response
        try:
            answer = api.create(
                model=self._model,
                max_tokens=self._answer_tokens,
                system=system,
                messages=said,
                **options,
            )
            return read_message(answer.http_response.content)
        except self._anthropic.APITimeoutError:
            return Failure(TIMEOUT)
        except self._anthropic.APIStatusError as error:
            status, headers = error.status_code, error.response.headers
            return Failure(STATUS, status, asked_wait_s(headers))
        except self._anthropic.AnthropicError:
            return Failure(CONNECTION)


def read_message(content: bytes) -> Reply | Failure:
    """Reads the body of an answer with status 200."""
    try:
        answer = msgspec.json.decode(content, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Failure(GARBLED)
    return Reply(
        text="".join(block.text for block in answer.content if block.type == "text"),
        is_refusal=answer.stop_reason == "refusal",
        is_cut=answer.stop_reason in ("max_tokens", "model_context_window_exceeded"),
        tokens=None if answer.usage is None else _tokens(answer.usage),
    )


def _tokens(usage: _Usage) -> Tokens:
    cached = (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
    return Tokens(usage.input_tokens + cached, usage.output_tokens)


def _supported(schema: Any) -> Any:
    """Returns the schema without the keywords that the endpoint doesn't take."""
    if isinstance(schema, Mapping):
        return {key: _supported(value) for key, value in schema.items() if key not in _UNSUPPORTED}
    if isinstance(schema, list):
        return [_supported(value) for value in schema]
    return schema
