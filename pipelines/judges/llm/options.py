"""The flags of the judge `llm`, and the judge that they describe."""

from __future__ import annotations

import argparse
from datetime import timedelta
from typing import Final

from pipelines.judges.llm.anthropic_wire import AnthropicWire
from pipelines.judges.llm.client import Client
from pipelines.judges.llm.cost import Budget, Prices
from pipelines.judges.llm.excerpt import Cut
from pipelines.judges.llm.judge import LlmJudge
from pipelines.judges.llm.openai_wire import OpenAIWire
from pipelines.judges.llm.pace import Pace, Patience
from pipelines.judges.llm.prompt import asker, prompt_version
from pipelines.judges.llm.tally import Tally
from pipelines.options import duration
from schemas.failures import InputError

_WIRES: Final[dict[str, type[OpenAIWire | AnthropicWire]]] = {
    "openai": OpenAIWire,
    "anthropic": AnthropicWire,
}
_CUT: Final = Cut()
_PATIENCE: Final = Patience()
_ANSWER_TOKENS: Final = 1_000


def add_llm_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the judge `llm`."""
    group = parser.add_argument_group(
        "the judge llm",
        "The text of the judged conversations is sent to this endpoint. The key is read from "
        "OPENAI_API_KEY or ANTHROPIC_API_KEY. Needs pip install 'undertone[judges]'.",
    )
    group.add_argument(
        "--llm_model", metavar="NAME", help="name of the model, as the endpoint knows it"
    )
    group.add_argument(
        "--llm_api",
        choices=tuple(_WIRES),
        default="openai",
        help="kind of the endpoint. OpenAI, vLLM, Ollama and llama.cpp are openai (default openai)",
    )
    group.add_argument(
        "--llm_url",
        default="",
        metavar="http://…/v1",
        help="base URL of the endpoint (default: that of OpenAI or Anthropic)",
    )
    group.add_argument(
        "--concurrency",
        type=int,
        default=4,
        metavar="4",
        help="ask about this many conversations at a time (default 4)",
    )
    group.add_argument(
        "--requests_per_minute",
        type=float,
        metavar="N",
        help="send at most this many requests a minute (default: no limit)",
    )
    group.add_argument(
        "--request_timeout",
        type=duration,
        default=timedelta(seconds=_PATIENCE.timeout_s),
        metavar="2m",
        help="how long one answer may take (default 2m)",
    )
    _add_cost_arguments(group)
    _add_cut_arguments(group)


def llm_judge_of(arguments: argparse.Namespace) -> LlmJudge:
    """Returns the judge that the flags describe.

    Raises:
      InputError: if a value is out of range, a flag or a key is missing, or the client isn't
        installed.
    """
    if not arguments.llm_model:
        raise InputError("the judge llm needs llm_model, the name of the model")
    if arguments.max_answer_tokens < 1:
        raise InputError(f"max_answer_tokens must be at least 1, got {arguments.max_answer_tokens}")
    cut = Cut(arguments.first_messages, arguments.last_messages, arguments.message_characters)
    patience = Patience(timeout_s=arguments.request_timeout.total_seconds())
    pace = Pace(arguments.requests_per_minute)
    budget = Budget(Prices(arguments.price_in, arguments.price_out), arguments.max_cost)
    tally = Tally()
    wire = _WIRES[arguments.llm_api](
        arguments.llm_model, arguments.llm_url, patience.timeout_s, arguments.max_answer_tokens
    )
    client = Client(wire, budget, pace, patience, arguments.max_answer_tokens, tally)
    return LlmJudge(
        prompt_version(arguments.llm_model, cut),
        asker(cut),
        client,
        budget,
        pace,
        tally,
        arguments.concurrency,
    )


def _add_cost_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--price_in",
        type=float,
        default=0.0,
        metavar="0.25",
        help="price of a million tokens that the model reads (default 0)",
    )
    group.add_argument(
        "--price_out",
        type=float,
        default=0.0,
        metavar="2",
        help="price of a million tokens that the model writes (default 0)",
    )
    group.add_argument(
        "--max_cost",
        type=float,
        metavar="5",
        help="stop before this run costs more than this, in the currency of the prices. Cached "
        "tokens are counted at the full price (default: no limit)",
    )
    group.add_argument(
        "--max_answer_tokens",
        type=int,
        default=_ANSWER_TOKENS,
        metavar=str(_ANSWER_TOKENS),
        help="limit of one answer. A model that reasons first may need more "
        f"(default {_ANSWER_TOKENS})",
    )


def _add_cut_arguments(group: argparse._ArgumentGroup) -> None:
    for name, value in (("first", _CUT.first), ("last", _CUT.last)):
        group.add_argument(
            f"--{name}_messages",
            type=int,
            default=value,
            metavar=str(value),
            help=f"of a long conversation, send the {name} so many messages. The first and the "
            f"last three human messages are always sent (default {value})",
        )
    group.add_argument(
        "--message_characters",
        type=int,
        default=_CUT.characters,
        metavar=str(_CUT.characters),
        help="of a long message, send its beginning and its end with so many characters in all "
        f"(default {_CUT.characters})",
    )
