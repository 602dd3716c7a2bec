"""Renders the report as a single HTML file. Also renders the summary lines for the terminal.

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

from pipelines.report import charts, wording
from pipelines.report.figures import AFFECTIVE, TOGETHER, Change, Figures, Receipt, Share
from pipelines.report.model_watch import sentences
from pipelines.report.reader import read_figures
from pipelines.report.run import Ledger, Run
from pipelines.report.shapes import Tick
from pipelines.report.wording import (
    percent,
    percent_interval,
    plural,
    points,
    points_interval,
    readable,
    reliability,
)
from pipelines.terminal.text import aligned
from schemas.labels import AFFECTIVE_TYPES, TYPES, USES
from transforms.estimation.rates import Rate
from transforms.facets.facet import ALL
from transforms.facets.registry import FACETS

REPORT_FILE: Final = "report.html"

_TEMPLATES: Final = "templates"
_SHOWN_VALUES: Final = 8
"""Number of values of a breakdown that are shown until the reader asks for more."""

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
    ("Judged share", "All counts combined with a sample of these conversations that someone or "
     "something better than the classifier has judged (prediction-powered inference, Angelopoulos "
     "and others 2023). It is right on average whatever the classifier’s errors are, if the judge "
     "is right."),
    ("Not supported", "A correction that would rest on too few held-out conversations, or on a "
     "classifier that hardly tells them apart, so that the share might get worse."),
    ("95% interval", "It covers chance in the conversations, in the measured error rates of a "
     "corrected share or in the sample of a judged one, and in the noise that protects the "
     "numbers. It does not cover the "
     "classifier’s errors in a raw share."),
    ("Too few", "The figure has too few users or conversations to be shown. It need not be zero."),
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
            "Nothing was published: there were no conversations, or too few users or conversations."
        ]
    rows = [("all conversations", "", "", "", "", f"{period.conversations:,}")]
    rows += [_share_row("affective", figures.affective)]
    rows += [_share_row(f"  {readable(s.name).lower()}", s) for s in figures.types]
    rows += [_share_row("companionship and roleplay", figures.together)]
    rows += [_share_row("over 50 human messages", figures.long[0])]
    rows += [_share_row("pushback", figures.pushback[0])]
    rows += [_change_row("mood change, affective", _named(figures.changes, AFFECTIVE))]
    title = f"{period.first} to {period.last} (UTC), {plural(period.days, 'day')}"
    header = ("", "estimate", "95% interval", "method", "raw", "conversations")
    said = sentences(figures.watched)
    lines = [title, _protection_line(figures), "", *aligned([header, *rows])]
    return [*lines, "", *said] if said else lines


def _protection_line(figures: Figures) -> str:
    if figures.is_exact or figures.receipt is None:
        return "every number is exact: keep the output to yourself"
    policy = figures.receipt.policy
    return (
        f"published from {plural(policy.min_users, 'user')} and "
        f"{plural(policy.min_conversations, 'conversation')} on, "
        f"with noise of at most \N{PLUS-MINUS SIGN}{policy.max_noise}"
    )


def _context(figures: Figures, run: Run) -> dict[str, Any]:
    """Returns the template's variables by name."""
    return {
        "figures": figures,
        "period": figures.period,
        "receipt": figures.receipt,
        "protection": wording.protection(figures.receipt) if figures.receipt else [],
        "run": run,
        "words": wording,
        "long": figures.long[0],
        "pushback": figures.pushback[0],
        "mood": _named(figures.changes, AFFECTIVE),
        "reliability": reliability(figures.measured_drift),
        "charts": _charts(figures),
        "tables": _tables(figures),
        "breakdowns": figures.breakdowns,
        "fates": _FATES,
        "definitions": _DEFINITIONS,
        "about": _about(run),
        "publication": _publication(figures.receipt),
        "ledger": Ledger.of(run.ledger),
        "shown_values": _SHOWN_VALUES,
        "percent": percent,
        "percent_interval": percent_interval,
        "watched": sentences(figures.watched),
        "rates": [_rate_cells(rate) for rate in figures.rates],
        "unsupported": [
            readable(facet if value == ALL else value).lower()
            for facet, value in figures.unsupported
        ],
        "points": points,
        "points_interval": points_interval,
        "readable": readable,
        "plural": plural,
    }


def _charts(figures: Figures) -> dict[str, Any]:
    days = [(f"{day.day:%Y-%m-%d}", day.conversations) for day in figures.days]
    hours = [(f"{hour:02}:00 UTC", n) for hour, n in enumerate(figures.hours)]
    hour_marks = [Tick((h + 0.5) / len(hours) * 100, f"{h:02}") for h in _HOUR_MARKS]
    return {
        "types": charts.share_bars(
            (*figures.types, figures.together), quiet=(*_NOT_AFFECTIVE, TOGETHER)
        ),
        "types_of_affective": charts.share_bars(figures.types_of_affective),
        "uses": charts.share_bars(figures.uses, quiet=USES[1:]),
        "lengths": charts.length_columns(figures.lengths),
        "long_mark": charts.long_mark(figures.lengths),
        "long": charts.share_bars(figures.long, quiet=(ALL, *_NOT_AFFECTIVE)),
        "changes": charts.change_bars(figures.changes),
        "pushback": charts.share_bars(figures.pushback, quiet=(ALL,)),
        "reasons": charts.share_bars(figures.reasons),
        "more": [charts.share_bars(more.shares) for more in figures.more],
        "days": charts.day_series(figures.days),
        "day_counts": charts.count_columns(days, charts.day_marks(figures.days)),
        "hours": charts.count_columns(hours, hour_marks),
    }


def _tables(figures: Figures) -> dict[str, Any]:
    tables: dict[str, Any] = {
        name: [_share_cells(share) for share in shares]
        for name, shares in (
            ("types", (*figures.types, figures.together)),
            ("types_of_affective", figures.types_of_affective),
            ("uses", figures.uses),
            ("lengths", figures.lengths),
            ("long", figures.long),
            ("pushback", figures.pushback),
            ("reasons", figures.reasons),
        )
    }
    tables["more"] = [[_share_cells(s) for s in more.shares] for more in figures.more]
    tables["changes"] = [_change_cells(change) for change in figures.changes]
    tables["days"] = [
        (f"{day.day:%Y-%m-%d}", wording.count(day.conversations), *_estimate(day.affective))
        for day in figures.days
    ]
    tables["hours"] = [
        (f"{hour:02}:00", wording.count(count)) for hour, count in enumerate(figures.hours)
    ]
    return tables


def _share_cells(share: Share) -> tuple[str, ...]:
    return (
        readable(share.name),
        wording.count(share.conversations),
        "" if share.whole is None else f"{share.whole:,}",
        *_estimate(share),
    )


def _estimate(share: Share) -> tuple[str, str, str, str]:
    """Writes the best estimate, its interval, its method, and the raw share beside it."""
    raw = "" if share.raw is None or share.is_counted else wording.raw(share)
    return wording.estimate(share), percent_interval(share), wording.method(share), raw


def _rate_cells(rate: Rate) -> tuple[str, ...]:
    """Writes the numbers of a value's correctly found conversations and of its false alarms."""
    return (
        readable(rate.facet if rate.facet_value == ALL else rate.facet_value),
        "any" if rate.language == ALL else rate.language,
        f"{rate.true_positives:,} of {rate.positives:,}",
        f"{rate.false_positives:,} of {rate.negatives:,}",
    )


def _change_cells(change: Change) -> tuple[str, ...]:
    return (
        readable(change.name),
        wording.count(change.conversations),
        wording.mean(change),
        points_interval(change),
    )


def _about(run: Run) -> list[tuple[str, str]]:
    """Returns the known facts about the run, each with its label."""
    said = [
        ("Input", ", ".join(run.inputs)),
        ("Started", run.started_at),
        ("Finished", run.finished_at),
        ("Version of the classifier", run.classifier_version),
        *run.settings,
    ]
    return [(term, value) for term, value in said if value]


def _publication(receipt: Receipt | None) -> list[tuple[str, str]]:
    """Returns the receipt of the publication, each entry with its label."""
    if receipt is None:
        return []
    return [
        ("Publication", receipt.publication),
        ("Version of the definitions", receipt.metrics_version),
        ("Version of the classifier", receipt.classifier_version),
        ("Id of the secret behind the noise", receipt.key_id),
        *([("Judged by", wording.judge(receipt))] if receipt.judge else []),
    ]


def _named(changes: Sequence[Change], name: str) -> Change:
    return next(change for change in changes if change.name == name)


_Line = tuple[str, str, str, str, str, str]


def _share_row(label: str, share: Share) -> _Line:
    count = "" if share.conversations is None else f"{share.conversations:,}"
    estimate, interval, _, raw = _estimate(share)
    return label, estimate, interval, share.method or "", raw, count


def _change_row(label: str, change: Change) -> _Line:
    count = "" if change.conversations is None else f"{change.conversations:,}"
    raw = points(change.raw) if change.is_judged and change.raw is not None else ""
    return label, wording.mean(change), points_interval(change), change.method or "", raw, count
