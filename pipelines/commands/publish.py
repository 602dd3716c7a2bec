"""`undertone publish`: send archives of events to a Pub/Sub topic."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from pipelines.terminal.progress import say


def add_publish(commands: Any) -> None:
    r"""Adds the command to the parser\'s subcommands."""
    parser = commands.add_parser(
        "publish",
        allow_abbrev=False,
        help="send archives of events to a Pub/Sub topic",
        description="Publishes the events of archives to a Pub/Sub topic, in their order: to feed "
        "a stream with a simulation, or to count again what was archived. Each is judged by when "
        "it was published first. With PUBSUB_EMULATOR_HOST set it goes to the emulator there.",
    )
    parser.add_argument(
        "--input",
        action="append",
        required=True,
        metavar="PATTERN",
        help="files of events, .avro, .jsonl or .jsonl.gz, or Avro archives of a subscription; may "
        "be repeated",
    )
    parser.add_argument("--topic", required=True, metavar="projects/PROJECT/topics/NAME")
    parser.add_argument(
        "--rate", type=float, metavar="2000", help="messages a second at most (default: no limit)"
    )
    parser.add_argument(
        "--speed_up",
        type=float,
        metavar="60",
        help="space the messages as they were first published (or said, where the event tells no "
        "more), so many times faster (default: no spacing)",
    )
    parser.add_argument(
        "--encoding",
        default="protobuf",
        choices=("protobuf", "json", "mixed"),
        help="of events from an Avro archive; JSON lines and archived messages stay as they are "
        "(default protobuf)",
    )
    parser.add_argument(
        "--repeat_share",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="publish this share of the messages a second time, a little later (default 0)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (default 0)")
    parser.set_defaults(command=_publish)


def _publish(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.operations.publish import Publishing, publish  # noqa: PLC0415

    publishing = Publishing(
        encoding=arguments.encoding,
        rate=arguments.rate,
        speed_up=arguments.speed_up,
        repeat_share=arguments.repeat_share,
        seed=arguments.seed,
    )
    published = publish(arguments.input, arguments.topic, publishing)
    say(f"{published:,} messages published to {arguments.topic}")
