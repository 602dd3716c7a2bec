"""Defines the flags, and turns their text into `Settings`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from pipelines.settings import CLASSIFIERS, Settings, parse_duration, wall_clock_us
from pipelines.sources.secret import local_secret, secret_of
from schemas.failures import InputError
from schemas.wire.validate import Limits
from schemas.wire.values import parse_allowed
from transforms.conversation.pseudonyms import LoadPseudonyms
from transforms.policies import Firings
from transforms.score import LoadClassifier

AUTO: Final = "auto"
"""The value of `--classifier` that lets the program choose one by the size of the input."""

_DEFAULT: Final = Settings()


def add_settings_arguments(
    parser: argparse.ArgumentParser, *, may_choose_classifier: bool = False
) -> None:
    """Adds the flags that say how to count.

    With `may_choose_classifier`, `AUTO` is the default of `--classifier`. The program then has to
    replace it by a choice before it calls `settings_of`.
    """
    group = parser.add_argument_group("how to count")
    if may_choose_classifier:
        add_auto_classifier_argument(group)
    else:
        _add_classifier(group, tuple(CLASSIFIERS), _CLASSIFIER_HELP, "default")
    add_session_gap(group)
    add_allowed_lateness(group)
    group.add_argument(
        "--max_conversations_per_user",
        type=int,
        default=_DEFAULT.max_conversations_per_user,
        metavar="100",
        help="count at most this many conversations that one user starts on one day. The ledger "
        "counts the rest as over_user_limit (default 100)",
    )
    group.add_argument(
        "--judgements_per_day",
        type=int,
        default=_DEFAULT.judgements_per_day,
        metavar="500",
        help="how many conversations of a day can be judged; see pipelines.judge (default 500)",
    )
    add_max_event_bytes(group)
    group.add_argument(
        "--values",
        action="extend",
        type=_values,
        metavar="BREAKDOWN=VALUE,…",
        help="the values that a breakdown may have, e.g. platform=web,ios,android. Any other value "
        "is counted as other, and the ledger says how many. For several breakdowns, put semicolons "
        "between the lists or repeat the flag. A list does not restrict a language that is "
        "detected from the text (default: every short name, ISO country and BCP 47 language)",
    )


_CLASSIFIER_HELP: Final = (
    "which classifier scores the messages. With accurate, a sentence encoder reads every "
    "human message. That is slower, and needs pip install "
    "'undertone[accurate]' on every worker"
)


def add_auto_classifier_argument(parser: argparse._ActionsContainer) -> None:
    """Adds the flag that names the classifier or lets the program choose it, with `AUTO`."""
    chooses = (
        "With auto, the program takes accurate if that one can read the whole input on this "
        "machine within about a minute, and otherwise default. It says which one it takes. The "
        "choice depends on the number of workers, so name a classifier if two runs must agree"
    )
    _add_classifier(parser, (AUTO, *CLASSIFIERS), f"{_CLASSIFIER_HELP}. {chooses}", AUTO)


def classifier_loader(name: str) -> LoadClassifier:
    """Returns the function that loads the classifier with the given name.

    Raises:
      InputError: if no classifier has that name. `AUTO` is not a classifier.
    """
    if name == AUTO:
        raise InputError(
            "classifier auto works only in undertone run and undertone classify; "
            f"name {' or '.join(CLASSIFIERS)}"
        )
    if name not in CLASSIFIERS:
        raise InputError(
            f"classifier must be {' or '.join(CLASSIFIERS)} (or auto, in undertone run and "
            f"undertone classify), got {name}"
        )
    return CLASSIFIERS[name]


def with_classifier(settings: Settings, name: str) -> Settings:
    """Returns the settings with another classifier and its version.

    Raises:
      InputError: if no classifier has that name, or it is not installed.
    """
    return replace(settings, **_classifier_fields(name))


def add_streaming_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that only a stream has."""
    group = parser.add_argument_group("when to count")
    group.add_argument(
        "--firing_period",
        type=duration,
        default=_DEFAULT.firings.early,
        metavar="60s",
        help="how often to look at the conversations that change, in processing time (default 60s)",
    )
    group.add_argument(
        "--counts_period",
        type=duration,
        default=_DEFAULT.firings.counts,
        metavar="2m",
        help="how often to write the counts that change, in processing time. A longer period "
        "writes fewer rows (default 2m)",
    )
    _add_conversation_life(group)
    group.add_argument(
        "--outage",
        type=duration,
        metavar="10m",
        help="how long a write waits in an outage of BigQuery before it fails and the runner tries "
        "it again (default: for ever)",
    )


def add_switch(parser: argparse._ActionsContainer, name: str, help_: str) -> None:
    """Adds a flag that needs no value. For templates, the flag also takes true or false."""
    parser.add_argument(
        name, nargs="?", const=True, default=False, type=_switch, metavar="true", help=help_
    )


def add_limits_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that decide which events a stream refuses."""
    group = parser.add_argument_group("how to count")
    add_allowed_lateness(group)
    add_max_event_bytes(group)
    _add_conversation_life(group)


def add_bigquery_argument(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Adds the flags that name the dataset of the tables."""
    parser.add_argument(
        "--dataset",
        required=required,
        metavar="PROJECT.DATASET",
        help="BigQuery dataset of the published tables, as <project>.<dataset>. The exact counts "
        "are in the dataset of that name with _counts at its end",
    )
    parser.add_argument(
        "--bigquery_url",
        default="",
        metavar="http://…",
        help="URL of a BigQuery emulator (default: BigQuery itself)",
    )


def add_secret_argument(parser: argparse.ArgumentParser, without: str = "") -> None:
    """Adds the flag that names the operator's secret.

    The flag is required, unless `without` says what happens without it.
    """
    parser.add_argument(
        "--secret",
        required=not without,
        metavar="FILE|projects/…/versions/N",
        help="the secret with which ids are hashed and noise is drawn: a file with at least 16 "
        "random bytes, which the workers can read, or the version of a secret in Google Secret "
        f"Manager. All jobs of a dataset need the same secret{without and f'. {without}'}",
    )


def secret_loader(arguments: argparse.Namespace) -> LoadPseudonyms:
    """Returns the loader of the secret that `--secret` names, by default this user's own file.

    Raises:
      InputError: if the flag's value is not complete, or the user's own file can't be made.
    """
    return local_secret() if arguments.secret is None else secret_of(arguments.secret)


def settings_of(arguments: argparse.Namespace, *, started_at_us: int | None = None) -> Settings:
    """Returns the settings from the parsed flags.

    Args:
      arguments: flags that `add_settings_arguments` and `add_secret_argument` added, already
        parsed.
      started_at_us: start of the run, which becomes the run's revision; if None, the current time
        is used.

    Raises:
      InputError: if a value is out of range or the chosen classifier is not installed.
    """
    try:
        return _settings_of(arguments, started_at_us)
    except ValueError as error:
        raise InputError(str(error)) from None


def limits_of(arguments: argparse.Namespace) -> Limits:
    """Returns the limits of a valid event from the flags that `add_limits_arguments` added.

    Raises:
      InputError: if a value is out of range.
    """
    try:
        return Settings(
            session_gap=timedelta(seconds=1),  # No limit of an event depends on it.
            allowed_lateness=arguments.allowed_lateness,
            max_event_bytes=arguments.max_event_bytes,
            firings=Firings(conversation_life=arguments.conversation_life),
        ).limits
    except ValueError as error:
        raise InputError(str(error)) from None


def _settings_of(arguments: argparse.Namespace, started_at_us: int | None) -> Settings:
    # A bounded run forgets nothing, so the conversation life must not limit the other flags.
    firings = Firings(
        conversation_life=max(
            _DEFAULT.firings.conversation_life,
            arguments.allowed_lateness + arguments.session_gap + timedelta(days=1),
        )
    )
    if hasattr(arguments, "firing_period"):
        firings = Firings(
            early=arguments.firing_period,
            counts=arguments.counts_period,
            conversation_life=arguments.conversation_life,
        )
    return Settings(
        session_gap=arguments.session_gap,
        allowed_lateness=arguments.allowed_lateness,
        max_conversations_per_user=arguments.max_conversations_per_user,
        judgements_per_day=arguments.judgements_per_day,
        max_event_bytes=arguments.max_event_bytes,
        values=frozenset(arguments.values or ()),
        firings=firings,
        **_classifier_fields(arguments.classifier),
        load_pseudonyms=secret_loader(arguments),
        revision=wall_clock_us() if started_at_us is None else started_at_us,
    )


def _classifier_fields(name: str) -> dict[str, Any]:
    load_classifier = classifier_loader(name)
    return {
        "load_classifier": load_classifier,
        "classifier_version": load_classifier().version,
    }


def _add_classifier(
    parser: argparse._ActionsContainer, names: Sequence[str], help_: str, default: str
) -> None:
    parser.add_argument(
        "--classifier",
        default=default,
        metavar="|".join(names),
        help=f"{help_} (default: {default})",
    )


def add_session_gap(group: argparse._ActionsContainer) -> None:
    """Adds the flag that says when a conversation ends."""
    group.add_argument(
        "--session_gap",
        type=duration,
        default=_DEFAULT.session_gap,
        metavar="24h",
        help="idle time after which a conversation id starts a new conversation (default 24h)",
    )


def add_allowed_lateness(group: argparse._ActionsContainer) -> None:
    """Adds the flag that says which events are late."""
    group.add_argument(
        "--allowed_lateness",
        type=duration,
        default=_DEFAULT.allowed_lateness,
        metavar="48h",
        help="do not count an event that is published later than this after it was said "
        "(default 48h)",
    )


def add_max_event_bytes(group: argparse._ActionsContainer) -> None:
    """Adds the flag that says which events are too large."""
    group.add_argument(
        "--max_event_bytes",
        type=int,
        default=_DEFAULT.max_event_bytes,
        metavar="4000000",
        help="refuse an event that is larger than this (default 4000000)",
    )


def _add_conversation_life(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--conversation_life",
        type=duration,
        default=_DEFAULT.firings.conversation_life,
        metavar="28d",
        help="how long a conversation can change after its last message, and a day after its end. "
        "State is kept that long (default 28d)",
    )


def patterns(text: str) -> list[str]:
    """Reads patterns that are separated by commas from an argument."""
    # A template can give a flag only once, so one value holds all patterns.
    return text.split(",")


def _values(text: str) -> list[tuple[str, str]]:
    try:
        return parse_allowed(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _switch(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"must be true or false, got {text!r}")
    return text.lower() == "true"


def duration(text: str) -> timedelta:
    """Reads a duration from an argument."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
