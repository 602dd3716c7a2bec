"""`undertone forget`: erase one user."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.commands.shared import query_of
from schemas.failures import InputError


def add_forget(commands: Any) -> None:
    """Adds the command to the command line."""
    from pipelines.options import add_bigquery_argument  # noqa: PLC0415

    parser = commands.add_parser(
        "forget",
        allow_abbrev=False,
        help="erase one user's conversations from archives, dead letters and judgements",
        description="Erases all conversations of one user from the files of an archive, and the "
        "dead letters, samples and judgements of these conversations from a dataset. Without "
        "--apply it only says what it would erase. It then says which days to backfill, and what "
        "remains. It never shows an id.",
    )
    parser.add_argument(
        "--user_file",
        required=True,
        metavar="FILE|-",
        help="file with the user's id as events state it, or - to read the id from stdin. The id "
        "is not a flag of its own, because the shell keeps flags in its history",
    )
    parser.add_argument(
        "--archive",
        action="append",
        required=True,
        metavar="PATTERN",
        help="files of events: .avro, .jsonl or .jsonl.gz, or the Avro files that a Pub/Sub "
        "subscription archives. %%Y, %%m, %%d and %%H stand for any date. May be repeated",
    )
    add_bigquery_argument(parser, required=False)
    parser.add_argument(
        "--run",
        action="append",
        default=[],
        type=Path,
        metavar="FOLDER",
        help="output folder of `undertone run`: erase the conversations from its candidates, "
        "sample and judgements too. May be repeated",
    )
    parser.add_argument(
        "--labels",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="file of labels, as `undertone label`, Label Studio or Argilla write it: erase the "
        "labels of these conversations, and their text if it is there. May be repeated",
    )
    parser.add_argument(
        "--secret",
        action="append",
        metavar="FILE|projects/…/versions/N",
        help="the secret that ids are hashed with, to find hashes; needed with --dataset, --run "
        "and --labels. Repeat it for each version that the jobs used since the oldest dead letter",
    )
    parser.add_argument("--apply", action="store_true", help="erase; otherwise nothing is changed")
    parser.set_defaults(command=_forget)


def _forget(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.operations.forget import dead_letters, forget, lines  # noqa: PLC0415
    from pipelines.operations.forget_judged import (  # noqa: PLC0415
        forget_in_dataset,
        forget_in_run,
        forget_labels,
    )
    from pipelines.operations.forget_search import search  # noqa: PLC0415
    from pipelines.sources.secret import secret_of  # noqa: PLC0415

    has_hashes = bool(arguments.dataset or arguments.run or arguments.labels)
    if has_hashes != bool(arguments.secret):
        raise InputError(
            "give --secret together with --dataset, --run or --labels to delete what they hold of "
            "the user, or none of these to leave it"
        )
    query = query_of(arguments) if arguments.dataset else None
    secrets = [secret_of(text)() for text in arguments.secret or ()]
    found = search(_user_id(arguments.user_file), arguments.archive, secrets)
    # The archive comes last, because it tells which conversations are the user's.
    letters = dead_letters(found, query)
    judged = forget_in_dataset(found, query, is_applied=arguments.apply) if query else []
    for folder in arguments.run:
        judged += forget_in_run(found, folder, is_applied=arguments.apply)
    for file in arguments.labels:
        judged += forget_labels(found, file, is_applied=arguments.apply)
    if arguments.apply:
        letters = forget(found, query)
    said = lines(found, letters if query else None, judged, is_applied=arguments.apply)
    print("\n".join(said))


def _user_id(file: str) -> str:
    """Reads the id of a user.

    Raises:
      InputError: if the file can't be read, or does not have exactly one line.
    """
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except OSError as error:
        raise InputError(f"can't read {file} ({error.strerror}); name another file") from None
    except UnicodeDecodeError:
        raise InputError(
            f"{file} is not UTF-8 text; save it as UTF-8, with one user id on one line"
        ) from None
    ids = [line for line in text.splitlines() if line.strip()]
    if len(ids) != 1:
        raise InputError(f"{file} must have one line with one id, got {len(ids)} lines")
    return ids[0]
