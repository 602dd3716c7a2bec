"""Makes the rows of a publication, and reads the last publication of a window from rows.

This module does not use Beam.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from schemas.counts import BasisRow
from schemas.published import (
    COMMITTED,
    WITHDRAWN,
    AggregateRow,
    FigureRow,
    PublicationRow,
)
from transforms.counting.cells import BREAKDOWN_IDS, BREAKDOWN_NAMES
from transforms.counting.places import Place, WindowCounts, cells_of_text, cells_text
from transforms.counting.windows import Window
from transforms.facets.registry import SLICES
from transforms.publishing.basis import Past, extended_past
from transforms.publishing.policy import Policy
from transforms.publishing.publication import Provenance, Published


class PublicationRows(NamedTuple):
    """All rows of one publication. The receipt must be written last: it commits the others."""

    receipt: PublicationRow
    aggregates: list[AggregateRow]
    figures: list[FigureRow]
    bases: list[BasisRow]


class Standing(NamedTuple):
    """What a window's rows say about its publications.

    Attributes:
      last: the last publication; None if there is none.
      next_version: version of the next publication.
      is_withdrawn: whether the last publication was withdrawn.
      figures: the figures of the last publication; empty if nobody judged it.
    """

    last: Published | None
    next_version: int
    is_withdrawn: bool = False
    figures: tuple[FigureRow, ...] = ()


UNPUBLISHED: Final = Standing(None, 1)


def rows_of(
    published: Published, attempt: int, figures: Sequence[FigureRow], rates: str = ""
) -> PublicationRows:
    """Returns the rows of a publication, in the order of breakdown, value and slice.

    Args:
      published: the publication.
      attempt: when the attempt began, microseconds since the epoch.
      figures: the rows of its figures, made from `published.cells`.
      rates: name of the error rates that they were made with; see `GivenRates.name`.
    """
    aggregates = aggregate_rows(published, attempt)
    receipt = PublicationRow(
        published.name,
        attempt,
        COMMITTED,
        *published.window,
        published.version,
        published.policy.encode(),
        *published.provenance[:3],
        len(aggregates),
        len(figures),
        published.provenance.generations,
        published.provenance.judge,
        published.provenance.judgements,
        rates,
    )
    return PublicationRows(receipt, aggregates, list(figures), basis_rows(published, attempt))


def aggregate_rows(published: Published, attempt: int) -> list[AggregateRow]:
    """Returns a row for each published cell."""
    name, window = published.name, published.window
    return [
        AggregateRow(
            name,
            attempt,
            *window,
            BREAKDOWN_NAMES[breakdown],
            value,
            *SLICES[index],
            sums.conversations,
        )
        for (breakdown, value), cells in published.cells.items()
        for index, sums in cells.items()
    ]


def basis_rows(published: Published, attempt: int) -> list[BasisRow]:
    """Returns a row with the exact counts of each place that has a published cell."""
    return [
        BasisRow(
            published.name,
            attempt,
            *published.window,
            BREAKDOWN_NAMES[breakdown],
            value,
            cells_text(cells),
        )
        for (breakdown, value), cells in published.basis.items()
    ]


def withdrawal_of(receipt: PublicationRow, attempt: int) -> PublicationRow:
    """Returns the row that withdraws a publication."""
    return msgspec.structs.replace(receipt, attempt=attempt, status=WITHDRAWN)


def standing_of(
    receipts: Iterable[PublicationRow],
    bases: Iterable[BasisRow],
    figures: Iterable[FigureRow] = (),
) -> Standing:
    """Reads the last publication of a window.

    Args:
      receipts: the rows of the window in `publications`, in any order.
      bases: its rows in `bases`, in any order. Rows of attempts without a receipt are ignored.
      figures: its rows in `figures`, likewise.

    Raises:
      ValueError: if a basis names a facet or a value that this version does not have.
    """
    ordered = sorted(receipts, key=lambda receipt: (receipt.version, receipt.attempt))
    if not ordered:
        return UNPUBLISHED
    current = ordered[-1]
    basis, past = _history(ordered, _bases_by_attempt(bases))
    last = Published(
        Window(current.window_kind, current.window_start_us, current.window_end_us),
        current.version,
        Policy.decode(current.policy),
        Provenance(
            current.key_id,
            current.metrics_version,
            current.classifier_version,
            current.generations,
            current.judge,
            current.judgements,
        ),
        basis,
        past,
    )
    committed = [row for row in ordered if row.status != WITHDRAWN][-1]
    spot = committed.publication, committed.attempt
    judged = tuple(f for f in figures if current.judge and (f.publication, f.attempt) == spot)
    return Standing(last, current.version + 1, current.status == WITHDRAWN, judged)


def _history(
    ordered: Iterable[PublicationRow], bases: Mapping[tuple[str, int], WindowCounts]
) -> tuple[WindowCounts, Past]:
    """Returns the last basis, and what was published before it, withdrawn or not."""
    basis: WindowCounts = {}
    past: Past = {}
    for receipt in ordered:
        if receipt.status != WITHDRAWN:
            following = bases.get((receipt.publication, receipt.attempt), {})
            past = extended_past(past, basis, following)
            basis = following
    return basis, past


def _bases_by_attempt(bases: Iterable[BasisRow]) -> dict[tuple[str, int], WindowCounts]:
    found: defaultdict[tuple[str, int], WindowCounts] = defaultdict(dict)
    for row in sorted(bases, key=lambda row: (BREAKDOWN_IDS[row.breakdown], row.breakdown_value)):
        place = Place(BREAKDOWN_IDS[row.breakdown], row.breakdown_value)
        cells = cells_of_text(row.cells)
        found[row.publication, row.attempt][place] = {i: cells[i] for i in sorted(cells)}
    return found
