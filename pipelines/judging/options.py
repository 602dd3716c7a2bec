"""Defines the flags of the judging job, and turns them into a `JudgingJob`."""

from __future__ import annotations

import argparse
from datetime import timedelta

from pipelines.judges.registry import ChosenJudge, add_judge_arguments
from pipelines.judging.dataset import JudgingJob
from pipelines.options import (
    add_allowed_lateness,
    add_bigquery_argument,
    add_max_event_bytes,
    add_secret_argument,
    add_session_gap,
    add_switch,
    duration,
    patterns,
    secret_loader,
)
from pipelines.settings import Settings
from pipelines.sinks.bigquery import Dataset
from schemas.failures import InputError
from transforms.policies import Firings

_DEFAULT = Settings()


def add_judging_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds all flags of the judging job."""
    add_bigquery_argument(parser)
    add_secret_argument(parser)
    _add_what(parser)
    counted = parser.add_argument_group(
        "how it was counted", "Give these flags the values that the counting jobs have."
    )
    add_session_gap(counted)
    add_allowed_lateness(counted)
    add_max_event_bytes(counted)
    add_judge_arguments(parser)


def job_of(arguments: argparse.Namespace) -> JudgingJob:
    """Returns the job that the flags describe.

    Raises:
      InputError: if a value is out of range, a flag is missing, or the judge is not installed.
    """
    lateness, gap = arguments.allowed_lateness, arguments.session_gap
    try:
        settings = Settings(
            session_gap=gap,
            allowed_lateness=lateness,
            max_event_bytes=arguments.max_event_bytes,
            judgements_per_day=arguments.judgements_per_day,
            firings=Firings(
                conversation_life=max(
                    _DEFAULT.firings.conversation_life, lateness + gap + timedelta(days=1)
                )
            ),
            load_pseudonyms=secret_loader(arguments),
        )
    except ValueError as error:
        raise InputError(str(error)) from None
    if arguments.days_a_pass < 1:
        raise InputError(f"days_a_pass must be at least 1, got {arguments.days_a_pass}; use e.g. 7")
    return JudgingJob(
        dataset=Dataset.of(arguments.dataset, arguments.bigquery_url),
        inputs=tuple(arguments.input),
        settings=settings,
        margin=arguments.margin,
        load_judge=ChosenJudge(arguments),
        days_a_pass=arguments.days_a_pass,
        retry_missing=arguments.retry_missing,
    )


def _add_what(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to judge")
    group.add_argument(
        "--input",
        required=True,
        action="extend",
        type=patterns,
        metavar="gs://bucket/events/%Y/%m/%d/*.avro",
        help="the archive, as for a backfill: files of events. %%Y, %%m, %%d and %%H stand for the "
        "UTC year, month, day and hour of publishing. For several patterns, put commas between "
        "them or repeat the flag",
    )
    group.add_argument(
        "--judgements_per_day",
        type=int,
        default=_DEFAULT.judgements_per_day,
        metavar="500",
        help="judge at most this many conversations of each day. A day that is sampled already "
        "keeps its sample until its counts change (default 500)",
    )
    group.add_argument(
        "--judge_after",
        type=duration,
        default=timedelta(hours=48),
        metavar="48h",
        help="judge a day this long after its end, when its conversations are complete. Use the "
        "publisher's publish_after (default 48h)",
    )
    group.add_argument(
        "--days",
        type=int,
        default=14,
        metavar="14",
        help="look for days that began at most this many days ago (default 14)",
    )
    group.add_argument(
        "--settled",
        type=duration,
        default=timedelta(minutes=15),
        metavar="15m",
        help="judge a day only if a stream's newest snapshot of it is at least this old "
        "(default 15m)",
    )
    group.add_argument(
        "--margin",
        type=duration,
        default=timedelta(days=7),
        metavar="7d",
        help="how long after a day to follow the conversations that began on it. Use the "
        "backfill's margin (default 7d)",
    )
    group.add_argument(
        "--days_a_pass",
        type=int,
        default=7,
        metavar="7",
        help="read the archive once for this many days in a row. Their sampled conversations are "
        "in memory together (default 7)",
    )
    add_switch(
        group,
        "--retry_missing",
        "look again for conversations that the archive lacked in an earlier run",
    )
