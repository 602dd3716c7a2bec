"""`undertone judge --plan`: says what judgements buy and cost; nothing is judged."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

_FROM_RUN = "(default: what the run says)"


def add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of a plan. The prices of tokens are those of the judge `llm`."""
    group = parser.add_argument_group(
        "plan",
        "With --plan, nothing is judged and no archive is read. FOLDER may be left out.",
    )
    group.add_argument(
        "--plan",
        action="store_true",
        help="say how narrow the interval of the affective share becomes with how many "
        "judgements, and what they cost",
    )
    for flag, kind, example, meaning in (
        ("--conversations", int, "3000", f"conversations on one day {_FROM_RUN}"),
        ("--share", float, "0.03", f"share of affective conversations {_FROM_RUN}"),
        ("--recall", float, "0.6", f"share of these that the classifier finds {_FROM_RUN}"),
        (
            "--false_alarms",
            float,
            "0.02",
            f"share of all others that it takes for affective {_FROM_RUN}",
        ),
        (
            "--auc",
            float,
            "0.95",
            "how well the classifier tells the two apart (default 0.95; a judged run tells more)",
        ),
    ):
        group.add_argument(flag, type=kind, metavar=example, help=meaning)
    group.add_argument(
        "--price",
        type=float,
        default=0.0,
        metavar="0.002",
        help="price of one judgement (default: from price_in and price_out, or else what the "
        "judgements of the run have cost)",
    )
    group.add_argument(
        "--tokens_a_message",
        type=float,
        default=150.0,
        metavar="150",
        help="tokens of a message, to price a conversation by price_in (default 150)",
    )


def plan(arguments: argparse.Namespace) -> None:
    """Prints the plan that the flags ask for.

    Raises:
      InputError: if something is not known or out of range, or the folder has no run.
    """
    from pipelines.judging.planning import Expected, Prices, expected_of, plan_lines  # noqa: PLC0415

    folder: Path | None = arguments.folder
    given: dict[str, Any] = {
        name: value
        for name in ("conversations", "share", "recall", "false_alarms", "auc")
        if (value := getattr(arguments, name)) is not None
    }
    expected = Expected() if folder is None else expected_of(folder)
    if given:
        # A judged sample tells about the run as it was, not about what the flags say.
        expected = replace(expected, **given, judged=())
    prices = Prices(
        arguments.price, arguments.price_in, arguments.price_out, arguments.tokens_a_message
    )
    for line in plan_lines(expected, arguments.judgements, prices):
        print(line)
