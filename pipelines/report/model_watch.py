"""Says in sentences whether the classifier still does what was measured before.

The rates come from the judged sample; see `transforms.watching`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.report.figures import Share
from pipelines.report.wording import percent, percent_interval, plural, readable
from schemas.published import FALSE_ALARMS, RECALL
from transforms.estimation.rates import Rates
from transforms.facets.facet import ALL
from transforms.facets.registry import Slice
from transforms.watching.card import card_of
from transforms.watching.watch import Watched


def watched_of(rows: Iterable[Mapping[str, Any]], measured: Rates | None) -> list[Watched]:
    """Returns the classifier's rates among the rows of a window's figures."""
    card = card_of(measured)
    return [
        Watched(
            slice_ := Slice(row["facet"], row["facet_value"]),
            row["measure"],
            row["conversations"],
            row["corrected"],
            row["low"],
            row["high"],
            card.get((slice_, row["measure"])),
            None,
        )
        for row in rows
        if row["measure"] in {RECALL, FALSE_ALARMS}
    ]


def sentences(watched: Iterable[Watched]) -> list[str]:
    """Says which rates are not what was measured before; nothing if there is nothing to compare."""
    compared = [each for each in watched if each.card is not None]
    off = [each for each in compared if each.is_off]
    if not compared:
        return []
    if not off:
        return [
            "The judged sample does not contradict what was measured of the classifier before "
            f"({plural(len(compared), 'rate')} compared)."
        ]
    return [
        "The classifier does not do here what was measured of it before. Trust judged figures "
        "only, and see docs/labels.md.",
        *map(_sentence, off),
    ]


def _sentence(watched: Watched) -> str:
    assert watched.card is not None
    facet, value = watched.slice
    interval = Share(value, low=watched.low, high=watched.high)
    known = Share(value, low=watched.card.low, high=watched.card.high)
    does = "Recall" if watched.measure == RECALL else "False alarms"
    return (
        f"{does} of \u201c{readable(facet if value == ALL else value)}\u201d: "
        f"{percent(watched.rate)} (95% interval {percent_interval(interval)}), measured before "
        f"{percent(watched.card.rate)} ({percent_interval(known)})."
    )
