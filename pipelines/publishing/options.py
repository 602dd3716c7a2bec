"""Defines the flags of publishing, and turns them into a `Policy`."""

from __future__ import annotations

import argparse
from datetime import timedelta
from typing import Final

from pipelines.options import duration
from schemas.failures import InputError
from transforms.publishing.policy import Policy

_POLICY: Final = Policy()


def add_policy_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say how published numbers are protected."""
    group = parser.add_argument_group("how to publish")
    group.add_argument(
        "--min_users",
        type=int,
        default=_POLICY.min_users,
        metavar="15",
        help="publish a count only if it covers at least this many distinct users (default 15)",
    )
    group.add_argument(
        "--min_conversations",
        type=int,
        default=_POLICY.min_conversations,
        metavar="15",
        help="publish a count only if it covers at least this many conversations (default 15)",
    )
    group.add_argument(
        "--noise_variance",
        type=float,
        default=_POLICY.variance,
        metavar="4",
        help="variance of the noise on each published count (default 4)",
    )
    group.add_argument(
        "--max_noise",
        type=int,
        default=_POLICY.max_noise,
        metavar="5",
        help="the most that noise changes a published count (default 5)",
    )
    group.add_argument(
        "--max_values",
        type=int,
        default=_POLICY.max_values,
        metavar="200",
        help="publish at most this many values of a breakdown in a window: those with the most "
        "users. The rest is added to other (default 200)",
    )


def add_rates_argument(
    parser: argparse._ActionsContainer, default: str = "the shipped rates"
) -> None:
    """Adds the flag that names a file of the classifier's error rates.

    Args:
      parser: the parser of the command.
      default: which rates are used without the flag.
    """
    parser.add_argument(
        "--rates",
        metavar="rates.json",
        help="correct figures by the error rates in this file, as undertone rates writes it, and "
        "compare the classifier with them. It may be on Cloud Storage. Other versions of the "
        f"classifier keep the shipped rates (default: {default})",
    )


def add_publishing_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say what the publishing job publishes and when."""
    group = parser.add_argument_group("what to publish")
    group.add_argument(
        "--publish_after",
        type=duration,
        default=_POLICY.publish_after,
        metavar="48h",
        help="publish a window this long after its end. Use at least the allowed lateness of the "
        "stream (default 48h)",
    )
    group.add_argument(
        "--days",
        type=int,
        default=40,
        metavar="40",
        help="look for windows that began at most this many days ago (default 40)",
    )
    group.add_argument(
        "--settled",
        type=duration,
        default=timedelta(minutes=15),
        metavar="15m",
        help="publish a window only if a stream's newest snapshot of it is at least this old. "
        "A stream that has restarted first writes all counts again (default 15m)",
    )
    group.add_argument(
        "--withdraw",
        metavar="day/2026-11-20/1",
        help="withdraw this publication, and publish nothing",
    )


def policy_of(arguments: argparse.Namespace, publish_after: timedelta | None = None) -> Policy:
    """Returns the policy from the flags that `add_policy_arguments` added.

    Args:
      arguments: the parsed flags.
      publish_after: how long after its end a window is published; None for the default.

    Raises:
      InputError: if a value is out of range.
    """
    after = _POLICY.publish_after if publish_after is None else publish_after
    try:
        return Policy(
            arguments.min_users,
            arguments.min_conversations,
            arguments.noise_variance,
            arguments.max_noise,
            arguments.max_values,
            after,
        )
    except ValueError as error:
        raise InputError(str(error)) from None
