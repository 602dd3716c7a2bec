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
        help="erase one user's conversations from archives and dead letters",
        description="Erases all conversations of one user from the files of an archive, and the "
        "dead letters of these conversations from a dataset. Without --apply it only says what it "
        "would erase. It then says which days to backfill, and what remains. It never shows an id.",
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
        "--secret",
        action="append",
        metavar="FILE|projects/…/versions/N",
        help="the secret that ids are hashed with, to find dead letters; needed with --dataset. "
        "Repeat it for each version that the jobs used since the oldest dead letter",
    )
    parser.add_argument("--apply", action="store_true", help="erase; otherwise nothing is changed")
    parser.set_defaults(command=_forget)


def _forget(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.operations.forget import dead_letters, forget, lines  # noqa: PLC0415
    from pipelines.operations.forget_search import search  # noqa: PLC0415
    from pipelines.sources.secret import secret_of  # noqa: PLC0415

    if (arguments.dataset is None) != (arguments.secret is None):
        raise InputError(
            "give both --dataset and --secret to delete dead letters, or neither to leave them"
        )
    query = query_of(arguments) if arguments.dataset else None
    secrets = [secret_of(text)() for text in arguments.secret or ()]
    found = search(_user_id(arguments.user_file), arguments.archive, secrets)
    work = forget if arguments.apply else dead_letters
    letters = work(found, query)
    said = lines(found, letters if query else None, is_applied=arguments.apply)
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
