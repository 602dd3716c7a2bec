"""Reads all the audit's input from the tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from pipelines.operations.audit.evidence import UNCOMMITTED, Evidence, Row, Version
from pipelines.sinks.records import RecordT
from schemas.failures import InputError
from schemas.judged import CANDIDATES, JUDGEMENTS, SAMPLE, JudgementRow, SampleRow
from schemas.published import COMMITTED, PUBLISHED_TABLES
from schemas.table import Table
from schemas.tables import DEAD_LETTERS, LEDGER
from transforms.counting.cells import BREAKDOWN_IDS, Sums
from transforms.counting.places import Cells, Place, WindowCounts, add_overlapping, cells_of_text
from transforms.counting.windows import Window
from transforms.facets.registry import INDEX, Slice
from transforms.judging.conversations import JudgedConversation, join
from transforms.publishing.policy import Policy

Query = Callable[[str], list[dict[str, Any]]]

_PLACE_COLUMNS: Final = "window_kind, window_start, window_end, breakdown, breakdown_value, cells"
_BASES: Final = f"SELECT publication, attempt, {_PLACE_COLUMNS} FROM `{{restricted}}.bases`"
_COUNTS: Final = f"SELECT {_PLACE_COLUMNS} FROM `{{restricted}}.counts_current`"
_RESTRICTED_WITH_WORDS: Final = tuple(
    table.name for table in (DEAD_LETTERS, LEDGER, CANDIDATES, SAMPLE, JUDGEMENTS)
)

Spot = tuple[str, int]
"""A publication and the attempt that wrote the rows."""


class Restricted(NamedTuple):
    """The restricted tables.

    Attributes:
      bases, counts: rows with the true sums.
      others: rows of further tables, by name.
      judged: the judged conversations.
    """

    bases: Sequence[Row]
    counts: Sequence[Row]
    others: Mapping[str, Sequence[Row]]
    judged: Sequence[JudgedConversation] = ()


def read_published(query: Query) -> dict[str, list[dict[str, Any]]]:
    """Reads all columns of all rows of the published tables, not only what the views show."""
    return {t.name: query(f"SELECT * FROM `{{dataset}}.{t.name}`") for t in PUBLISHED_TABLES}


def read_restricted(query: Query) -> Restricted | None:
    """Reads the restricted tables; returns None if they can't be read."""
    try:
        return Restricted(
            query(_BASES),
            query(_COUNTS),
            {name: query(f"SELECT * FROM `{{restricted}}.{name}`")
             for name in _RESTRICTED_WITH_WORDS},
            join(_current(query, SAMPLE, SampleRow), _current(query, JUDGEMENTS, JudgementRow)),
        )  # fmt: skip
    except InputError:
        return None


def _current(query: Query, table: Table, record: type[RecordT]) -> list[RecordT]:
    """Returns the rows of a table's view of current rows."""
    rows = query(f"SELECT * FROM `{{restricted}}.{table.name}_current`")
    return [
        record(*(_us(row[c.name]) if c.type == "TIMESTAMP" else row[c.name] for c in table.columns))
        for row in rows
    ]


def evidence_of(tables: Mapping[str, Sequence[Row]], restricted: Restricted | None) -> Evidence:
    """Makes the evidence from the rows.

    Raises:
      InputError: if nothing is published, or if a receipt has an unreadable policy.
    """
    receipts = {(str(r["publication"]), int(r["attempt"])): r for r in tables["publications"]}
    if not receipts:
        raise InputError("nothing is published there, so there is nothing to audit")
    aggregates, figures = _by_attempt(tables["aggregates"]), _by_attempt(tables["figures"])
    bases = _by_attempt(restricted.bases) if restricted and restricted.bases else None
    fallback = _policy(next(iter(receipts.values())))
    judges = {publication: row for (publication, _), row in sorted(receipts.items())}
    versions = []
    for spot in sorted(aggregates.keys() | figures.keys() | receipts.keys()):
        receipt = receipts.get(spot)
        rows = aggregates.get(spot, ())
        example = receipt or (*rows, *figures.get(spot, ()))[0]
        versions.append(
            Version(
                *spot,
                _window(example),
                int(receipt["version"]) if receipt else 0,
                str(receipt["status"]) if receipt else UNCOMMITTED,
                _policy(receipt) if receipt else fallback,
                str(receipt["classifier_version"]) if receipt else "",
                _numbers(rows),
                tuple(figures.get(spot, ())),
                None if bases is None else _window_counts(bases.get(spot, ())),
                str(judges[spot[0]]["judge"]) if spot[0] in judges else "",
                int(judges[spot[0]]["judgements"]) if spot[0] in judges else 0,
                str(receipt["rates"]) if receipt else "",
            )
        )
    counts = _counts(restricted.counts) if restricted and restricted.counts else None
    judged = tuple(restricted.judged) if restricted else ()
    found = tuple(v for v in versions if v.numbers or v.status == COMMITTED)
    return Evidence(found, counts, judged)


def _by_attempt(rows: Iterable[Row]) -> dict[Spot, list[Row]]:
    found: defaultdict[Spot, list[Row]] = defaultdict(list)
    for row in rows:
        found[str(row["publication"]), int(row["attempt"])].append(row)
    return dict(found)


def _policy(receipt: Row) -> Policy:
    try:
        return Policy.decode(str(receipt["policy"]))
    except (ValueError, TypeError, KeyError):
        raise InputError(
            f"the receipt of {receipt['publication']} has a policy that this version can't read; "
            "audit with the version that published"
        ) from None


def _window(row: Row) -> Window:
    return Window(str(row["window_kind"]), _us(row["window_start"]), _us(row["window_end"]))


def _us(instant: datetime) -> int:
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _numbers(rows: Iterable[Row]) -> dict[Place, dict[int, int]]:
    """Returns the published numbers. Unknown names are left out; `words` reports them."""
    found: defaultdict[Place, dict[int, int]] = defaultdict(dict)
    for row in rows:
        breakdown = BREAKDOWN_IDS.get(str(row["breakdown"]))
        index = INDEX.get(Slice(str(row["facet"]), str(row["facet_value"])))
        if breakdown is not None and index is not None:
            found[Place(breakdown, str(row["breakdown_value"]))][index] = int(row["conversations"])
    return dict(found)


def _window_counts(rows: Iterable[Row]) -> WindowCounts:
    parts: defaultdict[Place, list[dict[int, Sums]]] = defaultdict(list)
    for row in rows:
        place = Place(BREAKDOWN_IDS[str(row["breakdown"])], str(row["breakdown_value"]))
        parts[place].append(cells_of_text(str(row["cells"])))
    return {place: _joined(cells) for place, cells in parts.items()}


def _joined(cells: Sequence[Cells]) -> Cells:
    return cells[0] if len(cells) == 1 else add_overlapping(cells)


def _counts(rows: Iterable[Row]) -> dict[Window, WindowCounts]:
    by_window: defaultdict[Window, list[Row]] = defaultdict(list)
    for row in rows:
        by_window[_window(row)].append(row)
    return {window: _window_counts(found) for window, found in by_window.items()}
