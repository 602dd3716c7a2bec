"""Builds folders of runs for tests of views and report, from single rows or from counts."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from pipelines.publishing.folder import publish_folder
from pipelines.sinks.database import build_databases
from schemas.counts import COUNTS, CountsRow
from schemas.labels import AFFECTIVE_TYPES, PUSHBACK_REASONS, TYPES, USES
from schemas.published import (
    AGGREGATES,
    CORRECTED,
    COUNTED,
    FIGURES,
    JUDGED,
    MEAN_CHANGE,
    PUBLICATIONS,
    RAW,
    RECALL,
    SHARE,
    AggregateRow,
    FigureRow,
    PublicationRow,
)
from schemas.records import ConversationSummary
from schemas.tables import BATCH, LEDGER, METRICS_VERSION
from tests import run_folders
from tests.builders import HOUR_US, MONDAY_US
from tests.run_folders import LEDGER_ENTRIES, write_table
from transforms.counting.builder import CountsBuilder
from transforms.counting.contribution import Rank
from transforms.counting.register import Stamp
from transforms.counting.rows import Provenance, counts_row
from transforms.counting.windows import Window, day_window, range_of, windows_in
from transforms.publishing.policy import Policy

DAY_US: Final = 24 * HOUR_US
TUESDAY_US: Final = MONDAY_US + DAY_US
WHOLE_RUN: Final = range_of(MONDAY_US, MONDAY_US)
"""The default window of rows: a run of one day."""
TWO_DAYS: Final = range_of(MONDAY_US, TUESDAY_US)
MONDAY: Final = day_window(MONDAY_US)
TUESDAY: Final = day_window(TUESDAY_US)
POLICY: Final = Policy()
_Z: Final = 1.959964

_HOURS = np.array([2, 1, 1, 1, 1, 2, 3, 5, 7, 8, 8, 8, 8, 8, 8, 8, 8, 8, 9, 10, 11, 11, 9, 5])
_USES = (0.31, 0.24, 0.15, 0.1, 0.1, 0.06, 0.04)
_TYPES = (0.34, 0.28, 0.24, 0.14, 0.03)
_ATTRIBUTES: tuple[tuple[tuple[str, ...], tuple[float, ...]], ...] = (
    (("web", "ios", "android", "api"), (0.5, 0.25, 0.2, 0.05)),
    (
        ("US", "IN", "GB", "BR", "DE", "JP", "unknown", "FR", "IS", "MT"),
        (0.36, 0.18, 0.1, 0.1, 0.08, 0.07, 0.06, 0.046, 0.003, 0.001),
    ),
    (("en", "es", "pt", "de", "ja", "und"), (0.66, 0.1, 0.1, 0.07, 0.06, 0.01)),
    (("free", "pro", "team"), (0.7, 0.27, 0.03)),
    (("model-large", "model-small"), (0.6, 0.4)),
)


def row(
    conversations: int,
    facet: str = "all",
    value: str = "all",
    window: Window = WHOLE_RUN,
    **other: Any,
) -> AggregateRow:
    """Builds a published cell; the default cell is all conversations of the run."""
    fields: dict[str, Any] = {
        **_place(window),
        "facet": facet,
        "facet_value": value,
        "conversations": conversations,
    }
    return AggregateRow(**(fields | other))


def share(
    part: int,
    whole: int,
    facet: str = "use",
    value: str = "affective",
    whole_facet: str = "all",
    whole_value: str = "all",
    *,
    corrected: tuple[float, float, float] | None = None,
    window: Window = WHOLE_RUN,
    **other: Any,
) -> FigureRow:
    """Builds a published share, by default that of affective conversations.

    `corrected` is (share, low, high). Without it, the interval is Wilson's.
    """
    low, high = corrected[1:] if corrected else wilson(part, whole)
    fields: dict[str, Any] = {
        **_place(window),
        "measure": SHARE,
        "facet": facet,
        "facet_value": value,
        "whole_facet": whole_facet,
        "whole_value": whole_value,
        "conversations": part,
        "whole_conversations": whole,
        "raw": part / whole,
        "corrected": corrected[0] if corrected else None,
        "low": low,
        "high": high,
        "method": CORRECTED if corrected else COUNTED if facet == "length" else RAW,
    }
    return FigureRow(**(fields | other))


def change(
    conversations: int,
    mean: float,
    low: float,
    high: float,
    group: str = "all",
    window: Window = WHOLE_RUN,
    **other: Any,
) -> FigureRow:
    """Builds a published mean change of mood."""
    fields: dict[str, Any] = {
        **_place(window),
        "measure": MEAN_CHANGE,
        "facet": "sentiment",
        "facet_value": group,
        "whole_facet": None,
        "whole_value": None,
        "conversations": conversations,
        "whole_conversations": None,
        "raw": mean,
        "corrected": None,
        "low": low,
        "high": high,
        "method": RAW,
    }
    return FigureRow(**(fields | other))


def rate(
    found: float,
    low: float,
    high: float,
    measure: str = RECALL,
    facet: str = "use",
    value: str = "affective",
    *,
    card: float | None = None,
    window: Window = WHOLE_RUN,
    **other: Any,
) -> FigureRow:
    """Builds a published rate of the classifier, by default the recall of affective use."""
    fields: dict[str, Any] = {
        **_place(window),
        "measure": measure,
        "facet": facet,
        "facet_value": value,
        "whole_facet": None,
        "whole_value": None,
        "conversations": 1000,
        "whole_conversations": None,
        "raw": card,
        "corrected": found,
        "low": low,
        "high": high,
        "method": JUDGED,
    }
    return FigureRow(**(fields | other))


def receipt(window: Window, policy: Policy = POLICY, **other: Any) -> PublicationRow:
    """Builds the row that commits the first publication of a window."""
    fields: dict[str, Any] = {
        "publication": _name(window),
        "window_kind": window.kind,
        "window_start_us": window.start_us,
        "window_end_us": window.end_us,
        "policy": policy.encode(),
        "key_id": "key-1",
        "aggregates": 0,
    }
    return run_folders.receipt(**(fields | other))


def _name(window: Window) -> str:
    return f"{window.kind}/{window.name}/1"


def _place(window: Window) -> dict[str, Any]:
    """Returns the fields that rows of figures and of aggregates share."""
    return {
        "publication": _name(window),
        "attempt": 1,
        "window_kind": window.kind,
        "window_start_us": window.start_us,
        "window_end_us": window.end_us,
        "breakdown": "overall",
        "breakdown_value": "all",
    }


def wilson(part: int, whole: int) -> tuple[float, float]:
    """Returns Wilson's 95 % interval of a share."""
    middle = (part + _Z**2 / 2) / (whole + _Z**2)
    inner = part * (whole - part) / whole + _Z**2 / 4
    half = _Z * math.sqrt(inner) / (whole + _Z**2)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def database_of(
    folder: Path,
    *rows: AggregateRow | FigureRow,
    policy: Policy = POLICY,
    publications: Iterable[PublicationRow] | None = None,
) -> Path:
    """Builds the databases of a run that published these rows, and returns the run's folder.

    Args:
      folder: folder of the run.
      rows: the published cells and figures.
      policy: how the numbers are protected.
      publications: the receipts; None for one receipt for each window that has a row.
    """
    if publications is None:
        windows = {Window(r.window_kind, r.window_start_us, r.window_end_us) for r in rows}
        publications = [receipt(window, policy) for window in sorted(windows)]
    write_table(folder, PUBLICATIONS, publications)
    write_table(folder, AGGREGATES, [r for r in rows if isinstance(r, AggregateRow)])
    write_table(folder, FIGURES, [r for r in rows if isinstance(r, FigureRow)])
    build_databases(folder)
    return folder


def every_measure(window: Window) -> list[AggregateRow | FigureRow]:
    """Builds a figure of every measure, so that every view of a window has rows."""
    turned = "coaching_or_counseling"
    shares = (
        share(200, 900), share(100, 900, "type", "coaching"),
        share(100, 200, "type", "coaching", "use", "affective"),
        share(40, 900, "companionship_and_roleplay", "any"),
        share(60, 900, "long", "all"), share(20, 100, "long", "coaching", "type", "coaching"),
        share(20, 60, "long", "coaching", "long", "all"),
        share(40, 900, "pushback", "all"),
        share(15, 100, "pushback", "coaching", "type", "coaching"),
        share(15, 40, "pushback_reason", "self_harm", "pushback", "all"),
        share(30, 150, "drift_headline", "companionship", "drift_headline", turned),
        share(16, 50, "drift_long_headline", "companionship", "drift_long_headline", turned),
        share(80, 100, "drift", "coaching>coaching", "opening", "coaching"),
        share(700, 900, "length", "2"), change(50, 0.2, 0.1, 0.3),
        change(40, 0.3, 0.1, 0.5, "affective"), rate(0.6, 0.5, 0.7),
    )  # fmt: skip
    web: dict[str, Any] = {"breakdown": "platform", "breakdown_value": "web"}
    rows = (row(900), row(500, **web), share(90, 500, **web), *shares)
    place = {name: value for name, value in _place(window).items() if "breakdown" not in name}
    return [msgspec.structs.replace(each, **place) for each in rows]


def simulated_counts(seed: int, days: int, conversations_a_day: int) -> list[CountsRow]:
    """Counts the days of a made-up assistant: 8 % affective use, 11 % at weekends."""
    rng = np.random.default_rng(seed)
    by_user: dict[str, list[ConversationSummary]] = {}
    for day in range(days):
        is_weekend = day % 7 >= 5
        for _ in range(int(conversations_a_day * (0.7 if is_weekend else 1) * rng.normal(1, 0.04))):
            summary = _summary(rng, MONDAY_US + day * DAY_US, is_weekend)
            by_user.setdefault(summary.user, []).append(summary)
    builder = CountsBuilder(windows_in(MONDAY_US, MONDAY_US + (days - 1) * DAY_US))
    for user, summaries in by_user.items():
        builder.add_user((_rank(f"{user} {n}"), s) for n, s in enumerate(summaries))
    counted_by = Provenance(BATCH, METRICS_VERSION, "linear-3")
    return [
        counts_row(key, change.cells, Stamp(1, 1), 1, counted_by, "key-1")
        for key, change in sorted(builder.places(), key=lambda place: place[0])
    ]


def _rank(conversation: str) -> Rank:
    return hashlib.blake2b(conversation.encode(), digest_size=8).digest()


def published_run(folder: Path, counts: Iterable[CountsRow], policy: Policy = POLICY) -> Path:
    """Publishes counts as a run does, and returns the run's folder."""
    write_table(folder, COUNTS, counts)
    publish_folder(folder, policy, 1)
    return complete(folder)


def written_run(
    folder: Path, *rows: AggregateRow | FigureRow, metadata: Mapping[str, Any] | None = None
) -> Path:
    """Writes a complete run that published these rows, and returns the run's folder."""
    return complete(database_of(folder, *rows), metadata)


def complete(folder: Path, metadata: Mapping[str, Any] | None = None) -> Path:
    """Adds what else a run writes: ledger, dead letters, databases and `run.json`."""
    write_table(folder, LEDGER, LEDGER_ENTRIES)
    build_databases(folder)
    said = METADATA if metadata is None else metadata
    (folder / "run.json").write_text(json.dumps(said))
    return folder


METADATA: Mapping[str, Any] = {
    "inputs": ["events-2025-06-*.avro"],
    "started_at": "2025-06-18T06:00:03Z",
    "finished_at": "2025-06-18T06:04:41Z",
    "settings": {
        "session_gap_s": 86_400.0,
        "allowed_lateness_s": 172_800.0,
        "policy": json.loads(Policy().encode()),
    },
    "classifier": {
        "version": "linear-3",
        "measured": {"affective": {"recall": 0.871, "false_positive_rate": 0.0114}},
    },
    "synthesised": [],
    "ledger": [
        {"account": entry.account, "reason": entry.reason, "records": entry.records}
        for entry in LEDGER_ENTRIES
    ],
}


def _summary(rng: np.random.Generator, day_us: int, is_weekend: bool) -> ConversationSummary:
    is_affective = rng.random() < (0.11 if is_weekend else 0.08)
    human = int(min(rng.lognormal(2.3 if is_affective else 1.4, 1.1), 900)) + 1
    types = opening = closing = 0
    if is_affective:
        chosen = [i for i, p in enumerate(_TYPES) if rng.random() < p and (i < 4 or human >= 4)]
        chosen = chosen or [int(rng.integers(3))]
        types = sum(1 << i for i in chosen)
        opening = closing = int(rng.choice(chosen))
        if human > 10 and rng.random() < 0.3:
            closing = int(rng.choice([-1, 0, 1, 2, 3, 3]))
    elif human >= 4 and rng.random() < 0.02:
        types, opening, closing = 1 << TYPES.index("roleplay"), 5, 5
    else:
        opening = closing = -1
    use = 0 if is_affective else 1 + int(rng.choice(len(_USES), p=_USES))
    rise = rng.integers(-100, 101, 3).sum() - rng.integers(-125, 76, 3).sum()
    pushes = rng.random() < (0.09 if is_affective else 0.02)
    reasons = 1 << int(rng.integers(len(PUSHBACK_REASONS))) if pushes else 0
    hour = int(rng.choice(24, p=_HOURS / _HOURS.sum()))
    return ConversationSummary(
        started_at_us=day_us + hour * HOUR_US + int(rng.integers(HOUR_US)),
        user=f"{rng.integers(20_000):016x}",
        breakdowns=tuple(str(rng.choice(names, p=p)) for names, p in _ATTRIBUTES),
        human_messages=human,
        assistant_messages=human,
        types=types,
        use=use,
        opening_type=opening,
        closing_type=closing,
        sentiment_change_300ths=int(rise) if human >= 6 else None,
        pushback_reasons=reasons,
        gate_logit=int(rng.integers(0, 60) if is_affective else rng.integers(-60, 0)),
    )


assert len(_USES) == len(USES) - 1
assert len(_TYPES) == len(AFFECTIVE_TYPES)
