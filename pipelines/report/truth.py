"""Sets the figures of a run beside the truth that the simulator wrote.

The truth is about all simulated conversations, as `truth.parquet` counts them by day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.report import wording
from pipelines.report.figures import AFFECTIVE, TOGETHER, Change, Figures, Share
from pipelines.report.reader import read_figures
from pipelines.report.wording import percent, percent_interval, points, points_interval, readable
from pipelines.terminal.text import aligned
from schemas.failures import InputError
from schemas.labels import TYPES
from transforms.facets.facet import ALL
from transforms.judging.conversations import CHANGE_UNITS_PER_POINT

_COLUMNS: Final = ["granularity", "breakdown", "facet", "facet_value", "conversations",
                   "sentiment_change_300ths"]  # fmt: skip
_HEADLINE: Final = "coaching_or_counseling"


class Truth(NamedTuple):
    """The true numbers of conversations by facet and value, and the true sums of changes."""

    conversations: Counter[tuple[str, str]]
    changes: Counter[str]

    def share(self, facet: str, value: str, whole: tuple[str, str] = (ALL, ALL)) -> float | None:
        """Returns a true share; None if it is a share of nothing."""
        total = self.conversations[whole]
        return self.conversations[facet, value] / total if total else None

    def change(self, group: str) -> float | None:
        """Returns the true mean change of mood of a group, in points."""
        count = self.conversations["sentiment", group]
        return self.changes[group] / count / CHANGE_UNITS_PER_POINT if count else None


def read_truth(file: Path) -> Truth:
    """Reads the truth of a simulation.

    Raises:
      InputError: if the file is not one that `undertone simulate` wrote.
    """
    try:
        rows = pq.read_table(file, columns=_COLUMNS).to_pylist()
    except (OSError, pa.ArrowInvalid, KeyError):
        raise InputError(
            f"{file} is not the truth of a simulation; name the truth.parquet that "
            "undertone simulate wrote"
        ) from None
    truth = Truth(Counter(), Counter())
    for row in rows:
        if row["granularity"] == "day" and row["breakdown"] == "overall":
            truth.conversations[row["facet"], row["facet_value"]] += row["conversations"]
            if row["facet"] == "sentiment":
                truth.changes[row["facet_value"]] += row["sentiment_change_300ths"]
    return truth


def comparison_lines(folder: Path, truth: Truth) -> list[str]:
    """Returns the figures of the study: the truth, the raw figure, and the judged one.

    Raises:
      InputError: if the folder has no database.
    """
    figures = read_figures(folder)
    receipt = figures.receipt
    judgements = receipt.judgements if receipt else 0
    header = ("", "truth", "raw", "judged", "95% interval", "judgements")
    rows = [(*row, f"{judgements:,}" if row[3] else "") for row in _rows(figures, truth)]
    return aligned([header, *rows])


def _rows(figures: Figures, truth: Truth) -> Iterator[tuple[str, str, str, str, str]]:
    yield _share("affective", figures.affective, truth.share("use", AFFECTIVE))
    for name, share in zip(TYPES, figures.types, strict=True):
        yield _share(f"  {readable(name).lower()}", share, truth.share("type", name))
    yield _share("companionship and roleplay", figures.together, truth.share(TOGETHER, "any"))
    yield _share("pushback", figures.pushback[0], truth.share("pushback", ALL))
    yield _share(
        "coaching or counseling that turn to companionship",
        figures.headline_drift,
        truth.share("drift_headline", "companionship", ("drift_headline", _HEADLINE)),
    )
    change = next(change for change in figures.changes if change.name == AFFECTIVE)
    yield _change("mood change, affective", change, truth.change(AFFECTIVE))


def _share(label: str, share: Share, truth: float | None) -> tuple[str, str, str, str, str]:
    true = wording.NONE if truth is None else percent(truth)
    if not share.is_judged:
        return label, true, wording.raw(share), "", ""
    return label, true, wording.raw(share), wording.estimate(share), percent_interval(share)


def _change(label: str, change: Change, truth: float | None) -> tuple[str, str, str, str, str]:
    true = wording.NONE if truth is None else points(truth)
    raw = wording.TOO_FEW if change.raw is None else points(change.raw)
    if not change.is_judged:
        return label, true, raw, "", ""
    return label, true, raw, wording.mean(change), points_interval(change)
