"""Talks to endpoints of OpenAI's kind: OpenAI, vLLM, Ollama, llama.cpp and many others."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from pipelines.judges.llm.cost import Tokens
from pipelines.judges.llm.wire import (
    CONNECTION,
    FILTERED,
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

_KEY: Final = "OPENAI_API_KEY"
_URL: Final = "OPENAI_BASE_URL"
_NO_KEY: Final = "none"
"""Sent to an endpoint that needs no key. The client insists on sending one."""
_LIMITS: Final = ("max_completion_tokens", "max_tokens")
"""Names of the limit of an answer: OpenAI refuses the second one, older servers ignore the first.

So a server that isn't OpenAI's is asked with the second one first.
"""


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int = 0


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class OpenAIWire:
    """Sends requests to `/chat/completions`."""

    def __init__(self, model: str, url: str, timeout_s: float, answer_tokens: int) -> None:
        """Makes the client.

        Args:
          model: name of the model.
          url: base URL, e.g. `http://127.0.0.1:8080/v1`; empty for OpenAI's own.
          timeout_s: how long one answer may take, in seconds.
          answer_tokens: the limit of one answer.

        Raises:
          InputError: if the client isn't installed, or a key is needed and not set.
        """
        try:
            import openai  # noqa: PLC0415 (optional, and takes a second)
        except ImportError:
            raise missing_package("openai") from None
        is_openai = not url and not os.environ.get(_URL)
        if is_openai and not os.environ.get(_KEY):
            raise InputError(f"set {_KEY} to the key of the endpoint, or name another --llm_url")
        silence_clients()
        self._openai = openai
        self._client = openai.OpenAI(
            base_url=url or None,
            api_key=os.environ.get(_KEY) or _NO_KEY,
            timeout=timeout_s,
            max_retries=0,
        )
        self._model = model
        self._answer_tokens = answer_tokens
        limits = _LIMITS if is_openai else _LIMITS[::-1]
        # Models that reason take no temperature. What the endpoint takes is moved to the front.
        self._variants = [(limit, warm) for warm in (True, False) for limit in limits]

    def send(
        self,
        system: str,
        messages: Sequence[Message],
        schema: Mapping[str, Any],
        structure: Structure,
    ) -> Reply | Failure:
        """Sends one request, and again without options that the endpoint says it doesn't take."""
        first: Reply | Failure | None = None
        for variant in [*self._variants]:
            limit, has_temperature = variant
            options: dict[str, Any] = {limit: self._answer_tokens, **_format(schema, structure)}
            if has_temperature:
                options["temperature"] = 0
            outcome, complaint = self._send(system, messages, options)
            if complaint is None:
                if isinstance(outcome, Reply) and self._variants[0] != variant:
                    self._variants = [variant, *(v for v in self._variants if v != variant)]
                return outcome
            first = first or outcome
        assert first is not None
        return first

    def _send(
        self, system: str, messages: Sequence[Message], options: dict[str, Any]
    ) -> tuple[Reply | Failure, str | None]:
        """Sends one request. Also returns the name of an option that the endpoint doesn't take."""
        said = [{"role": "system", "content": system}]
        said += [
            {"role": "user" if m.is_ours else "assistant", "content": m.text} for m in messages
        ]
        api: Any = self._client.chat.completions.with_raw_response
        try:
            answer = api.create(model=self._model, messages=said, **options)
            return read_completion(answer.http_response.content), None
        except self._openai.APITimeoutError:
            return Failure(TIMEOUT), None
        except self._openai.APIStatusError as error:
            return _failure(error), _complaint(error, options)
        except self._openai.OpenAIError:
            return Failure(CONNECTION), None


def read_completion(content: bytes) -> Reply | Failure:
    """Reads the body of an answer with status 200."""
    try:
        completion = msgspec.json.decode(content, type=_Completion)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Failure(GARBLED)
    if not completion.choices:
        return Failure(GARBLED)
    choice, usage = completion.choices[0], completion.usage
    return Reply(
        text=choice.message.content or "",
        is_refusal=choice.message.refusal is not None or choice.finish_reason == "content_filter",
        is_cut=choice.finish_reason == "length",
        tokens=None if usage is None else Tokens(usage.prompt_tokens, usage.completion_tokens),
    )


def _format(schema: Mapping[str, Any], structure: Structure) -> dict[str, Any]:
    if structure is Structure.SCHEMA:
        named = {"name": "labels", "strict": True, "schema": schema}
        return {"response_format": {"type": "json_schema", "json_schema": named}}
    if structure is Structure.OBJECT:
        return {"response_format": {"type": "json_object"}}
    return {}


def _failure(error: Any) -> Failure:
    if error.code == "content_filter":  # How Azure refuses a conversation.
        return Failure(FILTERED)
    return Failure(STATUS, error.status_code, asked_wait_s(error.response.headers))


def _complaint(error: Any, options: Mapping[str, Any]) -> str | None:
    if error.status_code not in (400, 422):
        return None
    text = f"{error.param} {error.message}"
    return next(
        (name for name in ("temperature", *_LIMITS) if name in options and name in text), None
    )
