"""Flags to `Settings`: the one place where the operator's words become values."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from apache_beam.options.pipeline_options import (
    DirectOptions,
    GoogleCloudOptions,
    PipelineOptions,
    StandardOptions,
)
from apache_beam.runners.runner import PipelineRunner

from pipelines.local_runner import LocalRunner
from pipelines.settings import CLASSIFIERS, Settings, parse_duration, wall_clock_us
from schemas.failures import InputError
from schemas.wire.validate import Limits
from schemas.wire.values import parse_allowed
from transforms.estimation.rates import load_rates
from transforms.policies import Firings
from transforms.publishing.suppression import Thresholds
from transforms.score import LoadClassifier

_DEFAULT: Final = Settings()
_LARGE_INPUT_BYTES: Final = 20_000_000
_RUNNERS_WITH_FLAGS_OF_THEIR_OWN: Final = ("FlinkRunner", "PortableRunner", "SparkRunner")


def add_settings_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say how to count."""
    group = parser.add_argument_group("how to count")
    add_classifier_argument(group)
    group.add_argument(
        "--session_gap",
        type=_duration,
        default=_DEFAULT.session_gap,
        metavar="24h",
        help="idle time after which a conversation id begins a new conversation (default 24h)",
    )
    _add_allowed_lateness(group)
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
        "--max_conversations_per_user",
        type=int,
        default=_DEFAULT.max_conversations_per_user,
        metavar="100",
        help="count at most this many of the conversations that one user starts on one day; the "
        "rest stand in the ledger as over_user_limit (default 100)",
    )
    _add_max_event_bytes(group)
    group.add_argument(
        "--values",
        action="extend",
        type=_values,
        metavar="BREAKDOWN=VALUE,…",
        help="the values that a breakdown may have, e.g. platform=web,ios,android; every other "
        "value becomes other, and is counted in the ledger; several lists stand between "
        "semicolons, or in repeated flags (default: every short name, ISO country, BCP 47 "
        "language). The list does not apply to a language that is told from the text",
    )


def add_classifier_argument(parser: argparse._ActionsContainer) -> None:
    """Adds the flag that says which classifier scores, to a parser or a group of one."""
    parser.add_argument(
        "--classifier",
        default="default",
        metavar="|".join(CLASSIFIERS),
        help="what scores; accurate reads again, with a sentence encoder, each message that may be "
        "affective: it is slower, and needs pip install 'undertone[accurate]' wherever it works "
        "(default default)",
    )


def classifier_loader(name: str) -> LoadClassifier:
    """Returns what loads the classifier of that name.

    Raises:
      InputError: there is none.
    """
    if name not in CLASSIFIERS:
        raise InputError(f"classifier must be {' or '.join(CLASSIFIERS)}, got {name}")
    return CLASSIFIERS[name]


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
    _add_conversation_life(group)
    group.add_argument(
        "--outage",
        type=_duration,
        metavar="10m",
        help="how long an outage of BigQuery is waited out before the work is given back to the "
        "runner to try again (default: for ever)",
    )


def add_backfill_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that only a backfill has."""
    group = parser.add_argument_group("what to count")
    group.add_argument(
        "--from",
        dest="first_day",
        required=True,
        metavar="2026-11-16|7d",
        help="first day to count, UTC, or how many days ago it is",
    )
    group.add_argument(
        "--to",
        dest="last_day",
        required=True,
        metavar="2026-11-22|1d",
        help="last day to count, included; it must be over",
    )
    group.add_argument(
        "--input",
        required=True,
        action="extend",
        type=_patterns,
        metavar="gs://bucket/events/%%Y/%%m/%%d/*.avro",
        help="files of events, .avro or .jsonl; %%Y, %%m, %%d and %%H in it stand for the time at "
        "which they were published, UTC, and say which files to read; a pattern without them is "
        "read whole; several stand between commas, or in repeated flags",
    )
    group.add_argument(
        "--margin",
        type=_duration,
        default=timedelta(days=7),
        metavar="7d",
        help="how long after the last day a conversation that began on it is followed; what may go "
        "on longer is counted in the ledger as open_at_end (default 7d)",
    )
    group.add_argument(
        "--days_a_job",
        type=int,
        default=31,
        metavar="31",
        help="count so many days at a time, each such job written as a whole when it is done "
        "(default 31)",
    )
    add_switch(
        group,
        "--resume",
        "leave out the jobs whose days a backfill has written already, from the same files and "
        "with the same settings",
    )
    add_switch(
        group,
        "--empty_days",
        "count a day of which there is no file as one without conversations, instead of refusing",
    )
    add_switch(group, "--dry_run", "only say what would be read, replaced and spent")


def add_switch(parser: argparse._ActionsContainer, name: str, help_: str) -> None:
    """Adds a flag that is said alone, or as true or false where a template must give a value."""
    parser.add_argument(
        name, nargs="?", const=True, default=False, type=_switch, metavar="true", help=help_
    )


def add_limits_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say which events a stream refuses."""
    group = parser.add_argument_group("how to count")
    _add_allowed_lateness(group)
    _add_max_event_bytes(group)
    _add_conversation_life(group)


def add_bigquery_argument(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Adds the flags that say where the tables are."""
    parser.add_argument("--dataset", required=required, help="<project>.<dataset> of BigQuery")
    parser.add_argument(
        "--bigquery_url", default="", metavar="http://…", help="of an emulator, in BigQuery's place"
    )


class JavaPubSubOptions(PipelineOptions):
    """Where the Java source finds an emulator of Pub/Sub.

    Beam's own option for it does not reach Java: the job server reads the destinations' names, and
    takes snake case for its camel case.
    """

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--java_pubsub_url", dest="pubsub_root_url")
        parser.add_argument("--java_credentials", dest="credential_factory_class")


def settings_of(arguments: argparse.Namespace, *, started_at_us: int | None = None) -> Settings:
    """Returns the settings that parsed flags ask for.

    Args:
      arguments: parsed by a parser with the flags above.
      started_at_us: revision of a bounded run; the time now where not given.

    Raises:
      InputError: a value that makes no sense, shown, with one that does; or the chosen classifier
        is not installed.
    """
    try:
        return _settings_of(arguments, started_at_us)
    except ValueError as error:
        raise InputError(str(error)) from None


def limits_of(arguments: argparse.Namespace) -> Limits:
    """Returns what a valid event may be, of flags that `add_limits_arguments` added.

    Raises:
      InputError: a value that makes no sense, shown, with one that does.
    """
    try:
        return Settings(
            session_gap=timedelta(seconds=1),  # Says nothing of an event.
            allowed_lateness=arguments.allowed_lateness,
            max_event_bytes=arguments.max_event_bytes,
            firings=Firings(conversation_life=arguments.conversation_life),
        ).limits
    except ValueError as error:
        raise InputError(str(error)) from None


def beam_options(flags: Sequence[str], **defaults: object) -> PipelineOptions:
    """Returns Beam's own options from the flags that are not ours.

    Raises:
      InputError: a flag that Beam does not know either. Beam would drop it, and a mistyped
        threshold with it. A portable runner's job server knows more, so there it may pass; and a
        template's launcher adds its own, after its service has checked ours by the metadata.
    """
    options = PipelineOptions(list(flags), **defaults)
    known = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    for group in sorted(_option_groups(PipelineOptions), key=lambda cls: cls.__name__):
        group._add_argparse_args(known)
    _, unknown = known.parse_known_args(list(flags))
    knows_more = (
        options.view_as(StandardOptions).runner in _RUNNERS_WITH_FLAGS_OF_THEIR_OWN
        or options.view_as(GoogleCloudOptions).template_location
    )
    if unknown and not knows_more:
        raise InputError(f"{unknown[0]} is a flag of neither Undertone nor Beam; see --help")
    return options


def local_flags(flags: Sequence[str], input_bytes: int) -> list[str]:
    """Returns Beam's flags for a local run: all cores for a large input, unless told otherwise.

    A process a core takes some three seconds to start and then works at nearly twice the speed;
    the tables are the same to the byte.
    """
    is_told = any(flag.startswith(("--runner", "--direct_")) for flag in flags)
    cores = os.cpu_count() or 1
    if is_told or cores == 1 or input_bytes < _LARGE_INPUT_BYTES:
        return list(flags)
    return [*flags, f"--direct_num_workers={cores}", "--direct_running_mode=multi_processing"]


def bounded_runner(options: PipelineOptions) -> PipelineRunner | None:
    """Returns the in-process runner where the flags name none; None where they do.

    By name, because what Beam calls DirectRunner is a switch that picks another engine on another
    machine.

    Raises:
      InputError: no process is to work.
    """
    if options.view_as(StandardOptions).runner:
        return None
    if options.view_as(DirectOptions).direct_num_workers == 0:
        raise InputError("direct_num_workers must be at least 1, got 0; leave it out for 1")
    return LocalRunner()


def _option_groups(cls: type[PipelineOptions]) -> set[type[PipelineOptions]]:
    """Returns the option classes below one that add flags of their own."""
    below = {c for s in cls.__subclasses__() for c in ({s} | _option_groups(s))}
    return {c for c in below if "_add_argparse_args" in vars(c)}


def _settings_of(arguments: argparse.Namespace, started_at_us: int | None) -> Settings:
    # Of a bounded run no window outlives it, so any lateness may be asked of it.
    firings = Firings(
        conversation_life=max(
            _DEFAULT.firings.conversation_life,
            arguments.allowed_lateness + arguments.session_gap + timedelta(days=1),
        )
    )
    if hasattr(arguments, "firing_period"):
        firings = Firings(
            early=arguments.firing_period, conversation_life=arguments.conversation_life
        )
    load_classifier = classifier_loader(arguments.classifier)
    version = load_classifier().version
    return Settings(
        session_gap=arguments.session_gap,
        allowed_lateness=arguments.allowed_lateness,
        max_conversations_per_user=arguments.max_conversations_per_user,
        max_event_bytes=arguments.max_event_bytes,
        values=frozenset(arguments.values or ()),
        thresholds=Thresholds(arguments.min_users, arguments.min_conversations),
        firings=firings,
        load_classifier=load_classifier,
        classifier_version=version,
        rates=load_rates(version),
        revision=wall_clock_us() if started_at_us is None else started_at_us,
    )


def _add_allowed_lateness(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--allowed_lateness",
        type=_duration,
        default=_DEFAULT.allowed_lateness,
        metavar="48h",
        help="events published later than this after they were said are not counted (default 48h)",
    )


def _add_max_event_bytes(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--max_event_bytes",
        type=int,
        default=_DEFAULT.max_event_bytes,
        metavar="4000000",
        help="refuse larger events (default 4000000)",
    )


def _add_conversation_life(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--conversation_life",
        type=_duration,
        default=_DEFAULT.firings.conversation_life,
        metavar="28d",
        help="how long a conversation and its day may still change; state is kept that long "
        "(default 28d)",
    )


def _patterns(text: str) -> list[str]:
    # A template gives a flag once.
    return text.split(",")


def _values(text: str) -> list[tuple[str, str]]:
    try:
        return parse_allowed(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _switch(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
