"""`undertone classify`: classify each conversation in a file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.commands.shared import check_apart, counted, opened
from pipelines.terminal.progress import say


def add_classify(commands: Any) -> None:
    """Adds the command to the command line."""
    from pipelines.options import add_auto_classifier_argument  # noqa: PLC0415
    from transforms.classifiers.head import PRIOR  # noqa: PLC0415

    parser = commands.add_parser(
        "classify",
        allow_abbrev=False,
        help="say what each conversation in a file is for",
        description='Reads a file with one conversation per line, {"id": …, "turns": [{"role": '
        '"human"|"assistant", "text": …}, …]}. Writes a file with one answer per line: '
        "probabilities, types, use, mood and pushback, and whether the answer is certain enough "
        "to single out this conversation (alert).",
    )
    parser.add_argument("file", type=Path, metavar="FILE.jsonl", help="conversations to classify")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="OUT.jsonl", help="file for the answers"
    )
    parser.add_argument(
        "--prior",
        action="append",
        default=[],
        metavar="[LANGUAGE=]SHARE",
        help="share of your conversations that are affective, e.g. 0.01, or zh=0.005 for those in "
        f"one language. It shifts the probabilities, but not labels, use or alert. May be repeated "
        f"(default {PRIOR})",
    )
    add_auto_classifier_argument(parser)
    parser.set_defaults(command=_classify)


def _classify(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.operations.classifier_choice import DEFAULT, choose_for_chats  # noqa: PLC0415
    from pipelines.operations.classify import classify, read_conversations  # noqa: PLC0415
    from pipelines.operations.prior import prior_shifts  # noqa: PLC0415
    from pipelines.options import AUTO, classifier_loader  # noqa: PLC0415
    from pipelines.sinks.archive import appearing_at  # noqa: PLC0415

    check_apart(arguments.file, arguments.output)
    shifts = prior_shifts(arguments.prior)
    is_auto = arguments.classifier == AUTO
    load_classifier = classifier_loader(DEFAULT if is_auto else arguments.classifier)
    written = 0
    with opened(arguments.file) as lines, appearing_at(arguments.output) as out:
        if is_auto:
            choice = choose_for_chats(arguments.file)
            say(str(choice))
            load_classifier = classifier_loader(choice.classifier)
        classifier = load_classifier()
        conversations = read_conversations(lines, arguments.file.name)
        for classified in counted(classify(conversations, classifier, shifts), "conversations"):
            out.write(json.dumps(classified, ensure_ascii=False).encode() + b"\n")
            written += 1
    say(f"{written:,} conversations in {arguments.output}")
