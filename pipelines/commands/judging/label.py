"""`undertone label`: label conversations by hand, on a page that only this machine can open."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.commands.shared import check_apart, opened
from pipelines.terminal.progress import say
from schemas.failures import InputError

if TYPE_CHECKING:
    from pipelines.judges.interface import Transcript

_LABEL_STUDIO: Final = "label-studio"
_ARGILLA: Final = "argilla"
_READER: Final = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
_SHARES_TEXT: Final = (
    "holds the text of conversations: it is yours to guard, and to delete when the labels are back"
)


def add_label(commands: Any) -> None:
    """Adds the command to the command line."""
    from pipelines.options import add_secret_argument  # noqa: PLC0415

    parser = commands.add_parser(
        "label",
        allow_abbrev=False,
        help="label conversations by hand, as the judge that counts most",
        description="Opens a page on this machine that shows your own conversations one at a "
        "time, with the definitions beside them, in English or Chinese. Every label is on disk "
        "before the next conversation comes; run the same command again to go on. A second "
        "reader, with another --reader, does not see the first one's labels; at the end the page "
        "shows how far both agree. The file of labels holds no text.",
    )
    parser.add_argument(
        "file",
        type=Path,
        nargs="?",
        metavar="FILE.jsonl",
        help='conversations, {"id": …, "turns": [{"role": "human"|"assistant", "text": …}, …]} on '
        "each line",
    )
    group = parser.add_argument_group("to label the sample of a run, instead of FILE")
    group.add_argument(
        "--run", type=Path, metavar="FOLDER", help="output folder of `undertone run`"
    )
    group.add_argument(
        "--input",
        action="append",
        metavar="PATTERN",
        help="the files of events that the run counted. May be repeated",
    )
    group.add_argument(
        "--judgements",
        type=int,
        default=500,
        metavar="500",
        help="show at most this many conversations of the run (default 500)",
    )
    add_secret_argument(
        group,
        "It must be the one that the run used. Without this flag, it is the secret in your "
        "configuration folder",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        default=Path("labels.jsonl"),
        metavar="LABELS.jsonl",
        help="file of labels, which grows by one line a conversation (default labels.jsonl)",
    )
    parser.add_argument(
        "--reader", default="reader 1", metavar="NAME", help="who labels (default: reader 1)"
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port on 127.0.0.1 (default 0: any free one)"
    )
    parser.add_argument(
        "--agreement",
        action="store_true",
        help="print how far the readers of --labels agree, and stop",
    )
    group = parser.add_argument_group("for labelling elsewhere")
    group.add_argument(
        "--export",
        choices=(_LABEL_STUDIO, _ARGILLA),
        help="write the conversations as tasks of this tool, and stop. The file holds their text. "
        "`undertone judge` reads what the tool exports",
    )
    group.add_argument("--output", type=Path, metavar="OUT.json", help="file for --export")
    group.add_argument(
        "--language", default="en", choices=("en", "zh"), help="of the questions (default en)"
    )
    parser.set_defaults(command=_label)


def _label(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    if arguments.agreement:
        _print_agreement(arguments.labels)
    elif arguments.export:
        _export(arguments)
    else:
        _serve(arguments)


def _transcripts(arguments: argparse.Namespace) -> Iterator[Transcript]:
    """Yields the conversations to label."""
    from pipelines.labelling.chats import read_chats  # noqa: PLC0415

    path: Path | None = arguments.file
    if (path is None) == (arguments.run is None):
        raise InputError(
            "name what to label: a file of conversations, e.g. undertone label chats.jsonl, or "
            "--run with the folder of a run and --input with the files that it counted"
        )
    if path is None:
        yield from _sampled(arguments)
        return
    with opened(path) as lines:
        yield from read_chats(lines, path.name)


def _sampled(arguments: argparse.Namespace) -> Iterator[Transcript]:
    """Yields the sampled conversations of a run, in the order in which they should be labelled."""
    from pipelines.judging import folder as run_folder  # noqa: PLC0415
    from pipelines.options import secret_loader  # noqa: PLC0415
    from pipelines.settings import wall_clock_us  # noqa: PLC0415

    if not arguments.input:
        raise InputError("--run needs --input, the files of events that the run counted")
    pseudonyms = secret_loader(arguments)()
    with run_folder.opened(arguments.run) as judged:
        rows = judged.choose_sample(arguments.judgements, wall_clock_us(), pseudonyms.key_id)
    counted = run_folder.Counted.read(arguments.run)
    yield from run_folder.Transcripts(arguments.input, pseudonyms, counted).of(rows)


def _serve(arguments: argparse.Namespace) -> None:
    from pipelines.labelling.server import LabelServer  # noqa: PLC0415
    from pipelines.labelling.session import Session  # noqa: PLC0415
    from pipelines.labelling.store import LabelFile  # noqa: PLC0415

    if not _READER.fullmatch(arguments.reader):
        raise InputError("--reader must be a name of 1 to 64 characters")
    if arguments.file:
        check_apart(arguments.file, arguments.labels)
    if not arguments.labels.absolute().parent.is_dir():
        raise InputError(f"--labels {arguments.labels} is in a folder that does not exist; make it")
    session = Session(_transcripts(arguments), LabelFile(arguments.labels), arguments.reader)
    try:
        server = LabelServer(session, arguments.port)
    except (OSError, OverflowError):
        raise InputError(f"port {arguments.port} is not free; name another, or leave it") from None
    with server:
        say(f"open {server.url}")
        say("only this machine can open it, and only with this address. Ctrl-C ends it.")
        try:
            server.serve_forever()
        finally:
            done, total = session.progress
            say(f"{done:,} of {total:,} conversations labelled in {arguments.labels}")


def _print_agreement(path: Path) -> None:
    from pipelines.labelling.agreement import agreements  # noqa: PLC0415
    from pipelines.labelling.formats import read_labels  # noqa: PLC0415
    from pipelines.terminal.text import NOTHING, aligned  # noqa: PLC0415

    pairs = agreements(read_labels(path))
    if not pairs:
        print(f"{path} has the labels of fewer than two readers")
    for pair in pairs:
        print(f"{pair.first} and {pair.second}")
        rows = [
            (
                each.question,
                NOTHING if each.kappa is None else f"{each.kappa:.2f}",
                f"{each.agreed:,} of {each.conversations:,}",
            )
            for each in pair.questions
        ]
        print("\n".join(aligned([("question", "kappa", "alike"), *rows])))


def _export(arguments: argparse.Namespace) -> None:
    import json  # noqa: PLC0415

    from pipelines.labelling import argilla, label_studio  # noqa: PLC0415

    output: Path | None = arguments.output
    if output is None:
        raise InputError("--export needs a file to write; add --output tasks.json")
    if arguments.file:
        check_apart(arguments.file, output)
    is_studio = arguments.export == _LABEL_STUDIO
    make = label_studio.task_of if is_studio else argilla.record_of
    items = [make(transcript) for transcript in _transcripts(arguments)]
    _write_private(output, json.dumps(items, ensure_ascii=False))
    if is_studio:
        beside = output.with_suffix(".config.xml")
        beside.write_text(label_studio.config(arguments.language), "utf-8")
    else:
        beside = output.with_suffix(".settings.json")
        settings = argilla.settings(arguments.language)
        beside.write_text(json.dumps(settings, ensure_ascii=False, indent=1), "utf-8")
    say(f"{len(items):,} conversations in {output}; the questions are in {beside}")
    say(f"{output} {_SHARES_TEXT}")


def _write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read."""
    path.unlink(missing_ok=True)
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(number, "w", encoding="utf-8") as file:
        file.write(text)
