"""Renders the report, a single HTML file, and the lines of the terminal's summary.

The page is rendered from a Jinja2 template with autoescaping, because values of breakdowns, file
names and reasons are untrusted. It has no scripts, and its content security policy forbids scripts,
requests and external styles.
"""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup

from pipelines.report import charts
from pipelines.report.figures import AFFECTIVE, Change, Figures, Rate, Share
from pipelines.report.reader import read_figures
from pipelines.report.run import Ledger, Run
from pipelines.report.shapes import Tick
from pipelines.report.wording import (
    NOT_SUPPORTED,
    Wording,
    percent,
    percent_interval,
    points,
    points_interval,
    readable,
    reliability,
)
from pipelines.terminal.text import aligned
from schemas.labels import AFFECTIVE_TYPES, TYPES, USES
from transforms.facets.facet import ALL
from transforms.facets.registry import FACETS

REPORT_FILE: Final = "report.html"

_TEMPLATES: Final = "templates"
_SHOWN_VALUES: Final = 8
"""Number of values of a breakdown that are shown until the reader asks for more."""

_NO_CORRECTION: Final = "\N{EN DASH}"
"""Text that is shown if there is no corrected share."""

_HOUR_MARKS: Final = (0, 6, 12, 18, 23)

_NOT_AFFECTIVE: Final = tuple(name for name in TYPES if name not in AFFECTIVE_TYPES)


_FATES: Final[Mapping[str, str]] = {
    "counted": "messages that are part of a conversation",
    "duplicate": "further copies of a counted message",
    "out_of_range": "sent before or after the days of the backfill",
    "sampled": "beyond what is kept of a very long conversation, whose length is estimated",
    "system_turn": "neither from a human nor from the assistant",
    "late": "published too long after they were sent",
    "dead_letter": "could not be read, or are not valid",
}

_DEFINITIONS: Final = (
    *(term for facet in FACETS for term in facet.terms.items()),
    ("User", "One pseudonymous user id. A conversation without an id adds no user and never "
     "counts towards the threshold of users."),
    ("Raw share", "The share that the classifier counted, with its misses and false alarms."),
    ("Corrected share", "The raw share minus false alarms plus misses. How many there are follows "
     "from the classifier’s errors on held-out conversations (Rogan and Gladen 1978). Uses are "
     "corrected together, by how often the classifier takes each for each other (Saerens, Latinne "
     "and Decaestecker 2002)."),
    ("Not supported", "A correction that would rest on too few held-out conversations, or on a "
     "classifier that hardly tells them apart, so that the share might get worse."),
    ("95% interval", "For a raw share, Wilson’s score interval; it covers chance only. For a "
     "corrected share, Lang and Reiczigel’s interval or one derived from it, and for uses, one "
     "from random draws; it also covers chance in the measured error rates."),
)  # fmt: skip


def write_report(folder: Path) -> Path:
    """Writes the report of a run into its folder, and returns the report's path.

    Args:
      folder: the folder with the run's database and, optionally, its `run.json`.

    An existing report is either replaced completely or left unchanged.

    Raises:
      InputError: if the folder has no database, or its `run.json` can't be read.
    """
    page = render(read_figures(folder), Run.read(folder))
    target = folder / REPORT_FILE
    with tempfile.TemporaryDirectory(prefix=".undertone-", dir=folder) as scratch:
        writing = Path(scratch) / REPORT_FILE
        writing.write_text(page, "utf-8")
        os.replace(writing, target)
    return target


def render(figures: Figures, run: Run) -> str:
    """Returns the report as one HTML page."""
    style = resources.files(__package__).joinpath(_TEMPLATES, "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, _TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html")
    return template.render(_context(figures, run), style=Markup(style), style_digest=digest)


def summary_lines(folder: Path) -> list[str]:
    """Returns the headline figures of a run as the lines of an aligned table.

    Raises:
      InputError: if the folder has no database.
    """
    figures = read_figures(folder)
    period = figures.period
    if period is None:
        return [
            "Nothing was released: there were no conversations, or too few users or conversations "
            "for the thresholds."
        ]
    words = Wording(period)
    rows = [("all conversations", "", "", "", "", f"{period.conversations:,}")]
    rows += [_share_row("affective", figures.affective, words)]
    rows += [_share_row(f"  {readable(s.name).lower()}", s, words) for s in figures.types]
    rows += [_share_row("over 50 human messages", figures.long[0], words)]
    rows += [_share_row("pushback", figures.pushback[0], words)]
    rows += [_change_row("mood change, affective", _named(figures.changes, AFFECTIVE), words)]
    title = f"{period.first} to {period.last} (UTC), {_plural(period.days, 'day')}"
    header = ("", "corrected", "95% interval", "raw", "95% interval", "conversations")
    table = [header, *rows]
    if not figures.is_corrected:
        return [title, "", *aligned([(line[0], *line[3:]) for line in table])]
    return [title, "", *aligned(table)]


def _context(figures: Figures, run: Run) -> dict[str, Any]:
    """Returns the template's variables by name."""
    words = Wording(figures.period)
    is_exhaustive = figures.period is not None and figures.period.is_exhaustive
    return {
        "figures": figures,
        "period": figures.period,
        "is_exhaustive": is_exhaustive,
        "run": run,
        "words": words,
        "long": figures.long[0],
        "pushback": figures.pushback[0],
        "mood": _named(figures.changes, AFFECTIVE),
        "reliability": reliability(figures.measured_drift),
        "charts": _charts(figures, words),
        "tables": _tables(figures, words),
        "breakdowns": figures.breakdowns,
        "dead_letters": [(reason, step, f"{n:,}") for step, reason, n in figures.dead_letters],
        "fates": _FATES,
        "definitions": _DEFINITIONS,
        "about": _about(figures, run),
        "ledger": Ledger.of(figures.ledger or run.ledger),
        "withheld": _withheld(figures),
        "withheld_values": [
            (b.label, f"{len(b.values) + b.unlisted:,}", f"{b.not_published:,}")
            for b in figures.breakdowns
        ],
        "shown_values": _SHOWN_VALUES,
        "percent": percent,
        "percent_interval": percent_interval,
        "rates": [_rate_cells(rate) for rate in figures.rates],
        "unsupported": [
            readable(facet if value == ALL else value).lower()
            for facet, value in figures.unsupported
        ],
        "points": points,
        "points_interval": points_interval,
        "readable": readable,
        "plural": _plural,
    }


def _charts(figures: Figures, words: Wording) -> dict[str, Any]:
    days = [(f"{day.day:%Y-%m-%d}", day.conversations) for day in figures.days]
    hours = [(f"{hour:02}:00 UTC", n) for hour, n in enumerate(figures.hours)]
    hour_marks = [Tick((h + 0.5) / len(hours) * 100, f"{h:02}") for h in _HOUR_MARKS]
    return {
        "types": charts.share_bars(figures.types, words, quiet=_NOT_AFFECTIVE),
        "types_of_affective": charts.share_bars(figures.types_of_affective, words),
        "uses": charts.share_bars(figures.uses, words, quiet=USES[1:]),
        "lengths": charts.length_columns(figures.lengths, words),
        "long_mark": charts.long_mark(figures.lengths),
        "long": charts.share_bars(figures.long, words, quiet=(ALL, *_NOT_AFFECTIVE)),
        "changes": charts.change_bars(figures.changes, words),
        "pushback": charts.share_bars(figures.pushback, words, quiet=(ALL,)),
        "reasons": charts.share_bars(figures.reasons, words),
        "more": [charts.share_bars(more.shares, words) for more in figures.more],
        "days": charts.day_series(figures.days, words),
        "day_counts": charts.count_columns(days, words, charts.day_marks(figures.days)),
        "hours": charts.count_columns(hours, words, hour_marks),
    }


def _tables(figures: Figures, words: Wording) -> dict[str, Any]:
    tables: dict[str, Any] = {
        name: [_share_cells(share, words) for share in shares]
        for name, shares in (
            ("types", figures.types),
            ("types_of_affective", figures.types_of_affective),
            ("uses", figures.uses),
            ("lengths", figures.lengths),
            ("long", figures.long),
            ("pushback", figures.pushback),
            ("reasons", figures.reasons),
        )
    }
    tables["more"] = [[_share_cells(s, words) for s in more.shares] for more in figures.more]
    tables["changes"] = [_change_cells(change, words) for change in figures.changes]
    tables["days"] = [
        (
            f"{day.day:%Y-%m-%d}",
            words.count(day.conversations),
            *_both(day.affective, words),
        )
        for day in figures.days
    ]
    tables["hours"] = [
        (f"{hour:02}:00", words.count(count)) for hour, count in enumerate(figures.hours)
    ]
    return tables


def _share_cells(share: Share, words: Wording) -> tuple[str, ...]:
    return (
        readable(share.name),
        words.count(share.conversations),
        "" if share.whole is None else f"{share.whole:,}",
        *_both(share, words),
        str(share.days or ""),
    )


def _both(share: Share, words: Wording) -> tuple[str, str, str, str]:
    """Writes the corrected and the raw share, each with its interval."""
    none = _NO_CORRECTION if share.is_supported else NOT_SUPPORTED
    corrected = ("", "") if share.share is None else (none, "")
    if share.is_corrected:
        corrected = words.share(share.best), percent_interval(share.best)
    return *corrected, words.share(share), percent_interval(share)


def _rate_cells(rate: Rate) -> tuple[str, ...]:
    """Writes the numbers of a value's correctly found conversations and of its false alarms."""
    name = rate.facet if rate.value == ALL else rate.value
    return (
        readable(name),
        "any" if rate.language == ALL else rate.language,
        f"{rate.true_positives:,} of {rate.positives:,}",
        f"{rate.false_positives:,} of {rate.negatives:,}",
    )


def _change_cells(change: Change, words: Wording) -> tuple[str, ...]:
    return (
        readable(change.name),
        words.count(change.conversations),
        words.mean(change),
        points_interval(change),
        "" if change.deviation is None else f"{change.deviation:.2f}",
    )


def _withheld(figures: Figures) -> list[tuple[str, int, int, int]]:
    """Returns how many figures of each kind were released on all days, on some days, and never."""
    if figures.period is None:
        return []
    kinds = (
        ("Types", figures.types),
        ("Uses", figures.uses),
        ("Lengths", figures.lengths),
        ("Long conversations", figures.long),
        ("Pushback", figures.pushback),
        ("Reasons for pushback", figures.reasons),
    )
    rows = []
    for kind, shares in kinds:
        never = sum(share.conversations is None for share in shares)
        partly = sum(share.is_lower_bound for share in shares)
        rows.append((kind, len(shares) - never - partly, partly, never))
    return rows


def _about(figures: Figures, run: Run) -> list[tuple[str, str]]:
    """Returns the known facts about the run, each with its label."""
    period = figures.period
    classifiers = list(period.classifier_versions) if period else []
    said = [
        ("Input", ", ".join(run.inputs)),
        ("Started", run.started_at),
        ("Finished", run.finished_at),
        ("Version of the definitions", ", ".join(period.metrics_versions) if period else ""),
        ("Version of the classifier", ", ".join(classifiers) or run.classifier_version),
        *run.settings,
    ]
    return [(term, value) for term, value in said if value]


def _named(changes: Sequence[Change], name: str) -> Change:
    return next(change for change in changes if change.name == name)


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


_Line = tuple[str, str, str, str, str, str]


def _share_row(label: str, share: Share, words: Wording) -> _Line:
    count = "" if share.conversations is None else f"{share.conversations:,}"
    return label, *_both(share, words), count


def _change_row(label: str, change: Change, words: Wording) -> _Line:
    count = "" if change.conversations is None else f"{change.conversations:,}"
    return label, "", "", words.mean(change), points_interval(change), count
