"""Lists the files of an archive by the time in the names of files or folders."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from apache_beam.io.filesystem import BeamIOError, FileMetadata
from apache_beam.io.filesystems import FileSystems

from pipelines.sources.files import literal_or_pattern
from schemas.failures import InputError
from transforms.counting.cells import DAY_US, HOUR_US

_FIELD: Final = re.compile(r"%(.)")
_FIELDS: Final = frozenset("YmdH")


class Files(NamedTuple):
    """The files that one pattern matches, and the time that they cover.

    Attributes:
      start_us, end_us: range of the publish times of the messages in the files; the whole listed
        range if the pattern contains no time.
    """

    pattern: str
    start_us: int
    end_us: int
    found: tuple[FileMetadata, ...]


@dataclass(frozen=True)
class Listing:
    """The files of an archive within a range of time.

    Attributes:
      patterns: the patterns as given; strftime fields in them stand for the publish time.
      groups: the files of each pattern, grouped by hour or day.
    """

    patterns: tuple[str, ...]
    groups: tuple[Files, ...]

    @classmethod
    def of(cls, patterns: Sequence[str], start_us: int, end_us: int) -> Listing:
        """Lists the files of messages that were published within a range of time.

        Raises:
          InputError: if a pattern has time fields other than day and hour, or can't be listed.
        """
        groups = [
            Files(text, from_us, until_us, _match(text))
            for pattern in patterns
            for text, from_us, until_us in _expanded(pattern, start_us, end_us)
        ]
        return cls(tuple(patterns), tuple(groups))

    def within(self, start_us: int, end_us: int) -> list[Files]:
        """Returns the groups that may have messages from a range of time."""
        return [each for each in self.groups if each.start_us < end_us and start_us < each.end_us]


def _expanded(pattern: str, start_us: int, end_us: int) -> Iterator[tuple[str, int, int]]:
    """Yields one pattern per day, or one per hour if the given pattern names the hour."""
    fields = set(_FIELD.findall(pattern))
    if not fields:
        yield pattern, start_us, end_us
        return
    if not {"Y", "m", "d"} <= fields <= _FIELDS:
        raise InputError(
            f"{pattern} must name the time of its files by %Y, %m, %d and optionally %H, with no "
            "other fields; e.g. gs://bucket/events/%Y/%m/%d/*.avro"
        )
    step_us = HOUR_US if "H" in fields else DAY_US
    for at_us in range(start_us - start_us % step_us, end_us, step_us):
        start = datetime.fromtimestamp(at_us // 1_000_000, UTC)
        yield start.strftime(pattern), at_us, at_us + step_us


def _match(pattern: str) -> tuple[FileMetadata, ...]:
    try:
        (match,) = FileSystems.match([literal_or_pattern(pattern)])
    except (BeamIOError, ValueError) as error:
        raise InputError(
            f"{pattern} can't be listed ({type(error).__name__}); check the path and your access"
        ) from None
    return tuple(match.metadata_list)
