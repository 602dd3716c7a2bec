"""Flags to `Settings`: the one place where the operator's words become values."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.settings import Settings, parse_duration, wall_clock_us
from schemas.failures import InputError
from transforms.classifiers import load_default
from transforms.policies import Firings
from transforms.suppression import Thresholds

_DEFAULT: Final = Settings()


def add_settings_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say how to count."""
    group = parser.add_argument_group("how to count")
    group.add_argument(
        "--session_gap",
        type=_duration,
        default=_DEFAULT.session_gap,
        metavar="24h",
        help="idle time after which a conversation id begins a new conversation (default 24h)",
    )
    group.add_argument(
        "--allowed_lateness",
        type=_duration,
        default=_DEFAULT.allowed_lateness,
        metavar="48h",
        help="events published later than this after they were said are not counted (default 48h)",
    )
    group.add_argument(
        "--min_users",
        type=int,
        default=_DEFAULT.thresholds.min_users,
        metavar="15",
        help="publish a cell only with this many distinct users (default 15)",
    )
    group.add_argument(
        "--min_conversations",
        type=int,
        default=_DEFAULT.thresholds.min_conversations,
        metavar="15",
        help="publish a cell only with this many conversations (default 15)",
    )
    group.add_argument(
        "--max_event_bytes",
        type=int,
        default=_DEFAULT.max_event_bytes,
        metavar="4000000",
        help="refuse larger events (default 4000000)",
    )


def add_streaming_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that only a stream has."""
    group = parser.add_argument_group("when to publish")
    group.add_argument(
        "--firing_period",
        type=_duration,
        default=_DEFAULT.firings.early,
        metavar="60s",
        help="processing time between two publications of a changing cell (default 60s)",
    )
    group.add_argument(
        "--conversation_life",
        type=_duration,
        default=_DEFAULT.firings.conversation_life,
        metavar="28d",
        help="how long a conversation and its day may still change; state is kept that long "
        "(default 28d)",
    )


def settings_of(arguments: argparse.Namespace, *, started_at_us: int | None = None) -> Settings:
    """Returns the settings that parsed flags ask for.

    Args:
      arguments: parsed by a parser with the flags above.
      started_at_us: revision of a bounded run; the time now where not given.

    Raises:
      InputError: a value that makes no sense, shown, with one that does.
    """
    try:
        return _settings_of(arguments, started_at_us)
    except ValueError as error:
        raise InputError(str(error)) from None


def beam_options(flags: Sequence[str], **defaults: object) -> PipelineOptions:
    """Returns Beam's own options from the flags that are not ours."""
    return PipelineOptions(list(flags), **defaults)


def _settings_of(arguments: argparse.Namespace, started_at_us: int | None) -> Settings:
    firings = Firings()
    if hasattr(arguments, "firing_period"):
        firings = Firings(
            early=arguments.firing_period, conversation_life=arguments.conversation_life
        )
    return Settings(
        session_gap=arguments.session_gap,
        allowed_lateness=arguments.allowed_lateness,
        max_event_bytes=arguments.max_event_bytes,
        thresholds=Thresholds(arguments.min_users, arguments.min_conversations),
        firings=firings,
        classifier_version=load_default().version,
        revision=wall_clock_us() if started_at_us is None else started_at_us,
    )


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
