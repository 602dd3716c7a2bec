"""Code that several commands share for dates, files, progress and queries on the tables."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from pipelines.terminal.progress import say
from schemas.failures import InputError

ItemT = TypeVar("ItemT")
_PROGRESS_EVERY_S: Final = 3.0


def date(text: str) -> datetime:
    """Reads a date from an argument. A date without a time zone is taken as UTC."""
    try:
        day = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date; write e.g. 2026-01-05") from None
    return day if day.tzinfo else day.replace(tzinfo=UTC)


def check_apart(source: Path, output: Path) -> None:
    """Checks that the output of a command does not overwrite the input.

    Raises:
      InputError: if both paths are the same file.
    """
    if output.exists() and source.exists() and output.samefile(source):
        raise InputError(f"--output {output} is also the input; name a different file")


def opened(path: Path) -> IO[bytes]:
    """Opens a file for reading.

    Raises:
      InputError: if the file can't be read.
    """
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"can't read {path} ({error.strerror}); name a different file") from None


def counted(items: Iterable[ItemT], what: str) -> Iterator[ItemT]:
    """Yields the items. Every few seconds, prints the number of items so far to stderr."""
    said_at = time.monotonic()
    for count, item in enumerate(items, 1):
        yield item
        if time.monotonic() - said_at > _PROGRESS_EVERY_S:
            said_at = time.monotonic()
            say(f"{count:,} {what} …")


def add_tables_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that name a run's tables, on this machine or in BigQuery."""
    from pipelines.options import add_bigquery_argument  # noqa: PLC0415

    parser.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="output folder of `undertone run`"
    )
    add_bigquery_argument(parser, required=False)


def check_tables(arguments: argparse.Namespace) -> None:
    """Checks that the flags name a run's tables.

    Raises:
      InputError: if the flags name both a folder and a dataset, or neither.
    """
    if (getattr(arguments, "folder", None) is None) == (arguments.dataset is None):
        raise InputError("name either --dataset <project>.<dataset> or the folder of a run")


def query_of(arguments: argparse.Namespace) -> Callable[[str], list[dict[str, Any]]]:
    """Returns a function that queries the folder or the dataset that the flags name.

    Raises:
      InputError: if the flags name both or neither.
    """
    from pipelines.sinks.bigquery import Dataset, query  # noqa: PLC0415
    from pipelines.sinks.database import query_run  # noqa: PLC0415

    check_tables(arguments)
    folder: Path | None = getattr(arguments, "folder", None)
    if folder is not None:
        return partial(query_run, folder)
    return partial(query, Dataset.of(arguments.dataset, arguments.bigquery_url))
