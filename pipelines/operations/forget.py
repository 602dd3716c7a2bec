"""Erases one user: the archived events of all of the user's conversations, and their dead letters.

`forget_judged` erases samples and judgements of these conversations.

Counts and publications are not searched, because they name nobody. `lines` says what remains of the
user there, and for how long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from pipelines.operations.forget_search import Found, Owner
from pipelines.operations.status import Query
from pipelines.sinks.rewrite import rewrite
from pipelines.terminal.text import aligned
from schemas.failures import InputError

_HASHES_A_QUERY: Final = 5_000
"""BigQuery accepts queries of up to 1 MB; a hash takes at most 36 bytes."""

_BUFFERED: Final = "ingested_at >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 90 MINUTE)"
"""BigQuery can't delete rows that were streamed within the last 30 to 90 minutes."""

_COUNT: Final = f"""\
SELECT COUNT(*) AS letters, COUNTIF({_BUFFERED}) AS buffered
FROM `{{restricted}}.dead_letters` WHERE {{column}} IN ({{hashes}})
"""
_DELETE: Final = "DELETE FROM `{restricted}.dead_letters` WHERE {column} IN ({hashes})"

_REMAINS: Final = """\
What remains, and for how long:
- Pub/Sub keeps messages for the topic's retention (7 days by default), and until then a new copy
  may reach the archive. Erase the user again after that time.
- The stream's state has hashes and scores of the user's open conversations, but no text. It drops
  a conversation --conversation_life (28 days by default) after its last message.
- Exact counts include the user until the days above are backfilled. Superseded rows are deleted
  once the days are closed, and all rows expire; see docs/privacy.md. If you counted these days on
  one machine, run that again.
- Candidates for judging include the user's conversations, without text, until these days are
  backfilled. Superseded rows are deleted once the days are closed.
- Published figures stay as they are. Each has noise, covers at least --min_users people (15 by
  default), and does not change when one of them is erased.
- Copies of the archive are not searched, e.g. backups and old versions of a bucket's files.\
"""


def forget(found: Found, query: Query | None) -> int:
    """Erases what a search found, and returns the number of dead letters that were deleted.

    Guarantees: it may be interrupted at any point and run again. The user's own events are
    removed last, because they name the user's conversations.

    Args:
      found: result of the search.
      query: runs a query on the tables; None to leave the tables alone.

    Raises:
      InputError: if BigQuery can't delete all dead letters yet (then nothing is erased), or if a
        file can't be written (then some records may be erased).
    """
    letters = dead_letters(found, query)
    for sql in _queries(_DELETE, found) if query and letters else ():
        assert query is not None
        query(sql)
    person = found.person
    for path, owners in sorted(found.owners.items()):
        if owners[Owner.CONVERSATION]:
            rewrite(path, lambda record: person.owner_of(record) is not Owner.CONVERSATION)
    for path, owners in sorted(found.owners.items()):
        if owners[Owner.USER]:
            rewrite(path, lambda record: person.owner_of(record) is Owner.OTHERS)
    return letters


def dead_letters(found: Found, query: Query | None) -> int:
    """Returns the number of rows of dead letters to delete; a row may be counted more than once.

    Raises:
      InputError: if BigQuery can't delete some of them yet.
    """
    letters = 0
    for sql in _queries(_COUNT, found) if query else ():
        assert query is not None
        (row,) = query(sql)
        if row["buffered"]:
            raise InputError(
                "BigQuery can't yet delete the dead letters that the stream wrote within the last "
                "90 minutes for this user; nothing was erased, try again later"
            )
        letters += row["letters"]
    return letters


def lines(
    found: Found,
    letters: int | None,
    judged: Sequence[tuple[str, int]] = (),
    *,
    is_applied: bool,
) -> list[str]:
    """Returns what was erased, or would be, as lines of plain text. No line contains an id.

    Args:
      found: result of the search.
      letters: number of dead letters; None if no dataset was named.
      judged: what was erased of samples, judgements and labels, and how many rows of it.
      is_applied: whether the records were erased.
    """
    removed = found.removed
    if not removed and not any(number for _, number in judged):
        return [f"no event of this user in {found.files:,} files; nothing to erase"]
    conversations = len(found.person.conversations)
    rows = [
        (f"events {'erased' if is_applied else 'to erase'}", f"{removed.total():,}"),
        ("  of the user", f"{removed[Owner.USER]:,}"),
        (f"  others in the user's conversations ({conversations:,})",
         f"{removed[Owner.CONVERSATION]:,}"),
        (f"files of {found.files:,} {'rewritten' if is_applied else 'to rewrite'}",
         f"{len(found.owners):,}"),
    ]  # fmt: skip
    if letters is not None:
        verb = "deleted" if is_applied else "to delete"
        rows.append((f"dead letters {verb}", f"{letters:,}"))
    rows += [(f"{what} {'deleted' if is_applied else 'to delete'}", f"{n:,}") for what, n in judged]
    days = sorted(day for day in found.days if day is not None)
    rows += [(f"events of {day}", f"{found.days[day]:,}") for day in days]
    if found.days[None]:
        rows.append(("events without a readable time", f"{found.days[None]:,}"))
    said = aligned(rows)
    if not is_applied:
        return [*said, "Nothing was changed. To erase them, give --apply."]
    return [*said, *_to_do(days), _REMAINS]


def _to_do(days: Sequence[date]) -> Iterator[str]:
    if days:
        yield "To remove the user from the exact counts, backfill these days once they are over:"
    for first, last in _ranges(days):
        yield f"  python -m pipelines.backfill --from={first} --to={last} …"


def _ranges(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """Yields the first and last of consecutive days. `days` is in order."""
    ranges: list[tuple[date, date]] = []
    for day in days:
        if ranges and day - ranges[-1][1] == timedelta(days=1):
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    yield from ranges


def _queries(sql: str, found: Found) -> Iterator[str]:
    for column, hashes in sorted(found.hashes.items()):
        in_order = sorted(hashes)
        for start in range(0, len(in_order), _HASHES_A_QUERY):
            listed = ", ".join(f"'{each}'" for each in in_order[start : start + _HASHES_A_QUERY])
            yield sql.replace("{column}", column).replace("{hashes}", listed)
