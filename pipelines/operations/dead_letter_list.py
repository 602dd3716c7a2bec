"""Lists dead letters by stage, reason and source, and how many each run wrote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipelines.operations.status import Query
from pipelines.terminal.text import NOTHING, aligned, at
from schemas.failures import InputError, Reason

EXAMPLES: Final = 5

_Key = tuple[str, str, str]
"""The stage, reason and source that identify a group."""

_SHOWN_DIGITS: Final = 12
_GROUPS: Final = """\
SELECT
  stage, reason, source, COUNT(*) AS letters, COUNT(DISTINCT payload_hash) AS payloads,
  COUNT(DISTINCT run) AS runs, MIN(published_at_us) AS first_us, MAX(published_at_us) AS last_us
FROM `{restricted}.dead_letters`
WHERE {condition}
GROUP BY stage, reason, source
ORDER BY letters DESC, stage, reason, source
"""
_RUNS: Final = """\
WITH written AS (
  SELECT
    stage, reason, source, run, origin, COUNT(*) AS letters,
    UNIX_MICROS(MAX(ingested_at)) AS ingested_us
  FROM `{restricted}.dead_letters`
  WHERE {condition}
  GROUP BY stage, reason, source, run, origin
),

placed AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY stage, reason, source ORDER BY run DESC, origin) AS place
  FROM written
)

SELECT stage, reason, source, run, origin, letters, ingested_us
FROM placed
WHERE place <= {limit}
ORDER BY stage, reason, source, place
"""
_EXAMPLES: Final = """\
WITH payloads AS (
  SELECT
    stage, reason, source, payload_hash, MAX(event) AS event, MAX(conversation) AS conversation,
    MAX(size_bytes) AS size_bytes, MAX(published_at_us) AS published_at_us
  FROM `{restricted}.dead_letters`
  WHERE {condition}
  GROUP BY stage, reason, source, payload_hash
),

placed AS (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY stage, reason, source
      ORDER BY COALESCE(published_at_us, 0) DESC, payload_hash
    ) AS place
  FROM payloads
)

SELECT stage, reason, source, event, conversation, size_bytes, payload_hash
FROM placed
WHERE place <= {limit}
ORDER BY stage, reason, source, place
"""


@dataclass(frozen=True)
class Example:
    """One payload in a group: keyed hashes of its ids and of its bytes, and its size."""

    event: str | None
    conversation: str | None
    size_bytes: int
    payload_hash: str


@dataclass(frozen=True)
class Written:
    """The dead letters of a group that one run wrote. For old rows, only `letters` is known.

    Attributes:
      run: start of the run, microseconds since the epoch, as in the ledger.
      origin: stream or batch.
      letters: number of rows.
      ingested_us: when the last row was written.
    """

    run: int | None
    origin: str | None
    letters: int
    ingested_us: int | None


@dataclass(frozen=True)
class Group:
    """The dead letters of one stage, reason and source.

    Attributes:
      letters: number of rows. Every run that reads the archive writes the rows again, and a retried
        write may leave the same row twice.
      payloads: number of distinct payloads.
      runs: number of runs that wrote the rows.
      first_us, last_us: earliest and latest publish time; None if no publish time is known.
      written: the dead letters from each of the latest runs.
      examples: the latest payloads of the group, the newest first.
    """

    stage: str
    reason: str
    source: str
    letters: int
    payloads: int
    runs: int
    first_us: int | None
    last_us: int | None
    written: tuple[Written, ...]
    examples: tuple[Example, ...]


def list_groups(
    query: Query, reason: str | None = None, limit: int = EXAMPLES, run: int | None = None
) -> list[Group]:
    """Returns the dead letters by stage, reason and source, the most frequent first.

    Args:
      query: runs a query on the tables.
      reason: the only reason to list; None for all reasons.
      limit: the most runs and the most examples to list per group.
      run: the only run to list, as in the column `run`; None for all runs.

    Raises:
      InputError: if the limit is negative or the tables can't be read.
    """
    if limit < 0:
        raise InputError(f"limit must be 0 or more, got {limit}")
    condition = "TRUE" if reason is None else reason_condition(reason)
    condition += "" if run is None else f" AND run = {run:d}"
    written: dict[_Key, list[Written]] = defaultdict(list)
    for row in query(_RUNS.replace("{condition}", condition).replace("{limit}", str(limit))):
        written[_key_of(row)].append(Written(**row))
    examples: dict[_Key, list[Example]] = defaultdict(list)
    for row in query(_EXAMPLES.replace("{condition}", condition).replace("{limit}", str(limit))):
        examples[_key_of(row)].append(Example(**row))
    groups = []
    for row in query(_GROUPS.replace("{condition}", condition)):
        key = _key_of(row)
        groups.append(
            Group(*key, **row, written=tuple(written[key]), examples=tuple(examples[key]))
        )
    return groups


def group_lines(groups: Sequence[Group]) -> list[str]:
    """Returns the groups, with their runs and examples, as lines of plain text."""
    if not groups:
        return ["no dead letters"]
    lines: list[str] = []
    for group in groups:
        lines += [
            f"{group.stage}: {group.reason}, from {group.source}: {group.letters:,} "
            f"({group.payloads:,} distinct), published {at(group.first_us)} to {at(group.last_us)}",
            *_run_lines(group),
        ]
        rows = [
            (x.event or NOTHING, x.conversation or NOTHING,
             f"{x.size_bytes:,} bytes", x.payload_hash[:_SHOWN_DIGITS])
            for x in group.examples
        ]  # fmt: skip
        header = ("  event", "conversation", "size", "payload")
        lines += aligned([header, *((f"  {x[0]}", *x[1:]) for x in rows)], names=2) if rows else []
        lines += [""]
    return lines[:-1]


def _run_lines(group: Group) -> list[str]:
    if not group.written:
        return []
    rows = [
        (
            f"  {each.run or NOTHING}", each.origin or NOTHING, at(each.ingested_us),
            f"{each.letters:,}",
        )
        for each in group.written
    ]  # fmt: skip
    lines = aligned([("  run", "origin", "last written", "letters"), *rows], names=3)
    more = group.runs - len(group.written)
    return [*lines, f"  and {more:,} earlier"] if more > 0 else lines


def _key_of(row: dict[str, Any]) -> _Key:
    """Removes from a row the columns that identify a group, and returns their values."""
    return row.pop("stage"), row.pop("reason"), row.pop("source")


def reason_condition(reason: str) -> str:
    """Returns the SQL condition that selects a reason.

    Only known reasons are accepted, so no reason needs escaping.
    """
    return f"reason = '{Reason(reason)}'"
