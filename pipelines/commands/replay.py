"""`undertone replay`: send archives of events to a Pub/Sub topic."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from pipelines.terminal.progress import say


def add_replay(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "replay",
        allow_abbrev=False,
        help="send archives of events to a Pub/Sub topic",
        description="Publishes the events of archives to a Pub/Sub topic, in their order. Use it "
        "to feed a stream with a simulation, or to count archived events again. Each event keeps "
        "the time of its first publishing, which decides whether it is late. Set "
        "PUBSUB_EMULATOR_HOST to publish to an emulator.",
    )
    parser.add_argument(
        "--input",
        action="append",
        required=True,
        metavar="PATTERN",
        help="files of events: .avro, .jsonl or .jsonl.gz, or the Avro files that a Pub/Sub "
        "subscription archives. May be repeated",
    )
    parser.add_argument(
        "--topic",
        required=True,
        metavar="projects/PROJECT/topics/NAME",
        help="Pub/Sub topic to publish to",
    )
    parser.add_argument(
        "--rate",
        type=float,
        metavar="2000",
        help="publish at most this many messages per second (default: no limit)",
    )
    parser.add_argument(
        "--speed_up",
        type=float,
        metavar="60",
        help="keep the pauses between the messages, but this many times shorter. The pauses are "
        "those of the first publishing, or of the event times if that is unknown (default: no "
        "pauses)",
    )
    parser.add_argument(
        "--encoding",
        default="protobuf",
        choices=("protobuf", "json", "mixed"),
        help="encoding for events from an Avro archive of events. JSON lines and archived Pub/Sub "
        "messages stay as they are (default protobuf)",
    )
    parser.add_argument(
        "--repeat_share",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="publish this share of the messages a second time, a little later (default 0)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of what is random (default 0)")
    parser.set_defaults(command=_replay)


def _replay(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.operations.replay import ReplayOptions, replay  # noqa: PLC0415

    options = ReplayOptions(
        encoding=arguments.encoding,
        rate=arguments.rate,
        speed_up=arguments.speed_up,
        repeat_share=arguments.repeat_share,
        seed=arguments.seed,
    )
    published = replay(arguments.input, arguments.topic, options)
    say(f"{published:,} messages published to {arguments.topic}")
