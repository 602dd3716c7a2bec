"""Publishes the windows of one scope: reads their counts, and makes the rows of publications."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.counts import BasisRow, CountsRow
from schemas.published import AggregateRow, FigureRow, PublicationRow
from transforms.counting.cells import BREAKDOWN_IDS
from transforms.counting.places import (
    Cells,
    Place,
    WindowCounts,
    add_overlapping,
    cells_of_text,
)
from transforms.counting.windows import Window
from transforms.estimation.figures import Figure, figures_of
from transforms.estimation.judged_figures import NO_SAMPLE, JudgedSample, Noise, sample_for
from transforms.estimation.rates import SHIPPED, GivenRates
from transforms.judging.conversations import JudgedConversation
from transforms.publishing.judged import keep_judged
from transforms.publishing.policy import Policy
from transforms.publishing.publication import Provenance, Published, kept_because, publish
from transforms.publishing.rows import UNPUBLISHED, PublicationRows, Standing, rows_of
from transforms.watching.card import card_of
from transforms.watching.watch import Watched, watch


class Scope(NamedTuple):
    """Windows that are published together: a day with its hours, or one longer window.

    Attributes:
      kind: `windows.DAY` for a day with its hours, otherwise the kind of the window.
      start_us, end_us: start and end of the day or window.
    """

    kind: str
    start_us: int
    end_us: int


@dataclass
class Batch:
    """Rows to write, one table after the other. The rows of `publications` commit the others."""

    aggregates: list[AggregateRow] = field(default_factory=list)
    figures: list[FigureRow] = field(default_factory=list)
    bases: list[BasisRow] = field(default_factory=list)
    publications: list[PublicationRow] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """One sentence for each window that is not published or not corrected, with the reason."""
    watched: dict[str, list[Watched]] = field(default_factory=dict)
    """The classifier's recall and false alarms in each publication that has a judged sample."""

    @property
    def drifted(self) -> list[tuple[str, Watched]]:
        """The rates that are not what was measured before, each with its publication."""
        return [(name, each) for name, rates in self.watched.items() for each in rates
                if each.is_off]  # fmt: skip

    def add(self, rows: PublicationRows) -> None:
        """Adds the rows of a publication."""
        self.aggregates += rows.aggregates
        self.figures += rows.figures
        self.bases += rows.bases
        self.publications.append(rows.receipt)


def publish_windows(
    counts: Iterable[CountsRow],
    standings: Mapping[Window, Standing],
    policy: Policy,
    attempt: int,
    judged: Sequence[JudgedConversation] = (),
    rates: GivenRates = SHIPPED,
) -> Batch:
    """Makes the publications of some windows.

    Args:
      counts: the current counts of the windows, one row for each place and generation.
      standings: what is published of each window. Unpublished windows are not in it.
      policy: how to protect the numbers.
      attempt: when this attempt began, microseconds since the epoch.
      judged: the judged conversations of the windows, and of the days that lend theirs; see
        `judged_figures.sample_for`.
      rates: the classifier's error rates.

    Returns:
      The rows of all windows that were not published before, or whose published cells change. A
      window that was counted with several secrets is not published.
    """
    by_window: defaultdict[Window, list[CountsRow]] = defaultdict(list)
    for row in counts:
        by_window[Window(row.window_kind, row.window_start_us, row.window_end_us)].append(row)
    batch = Batch()
    for window, rows in sorted(by_window.items()):
        standing = standings.get(window, UNPUBLISHED)
        last = standing.last
        sample = sample_for(window, judged)
        provenance = with_judge(provenance_of(rows), sample.inside, policy)
        if "," in provenance.key_id:
            # Each secret gives a user another hash, so the user would be counted twice.
            batch.kept.append(f"{window.kind} {window.name} was counted with several secrets")
            continue
        reason = kept_because(last, policy, provenance) if last else None
        if last and reason and not standing.is_withdrawn:
            batch.kept.append(f"{last.name} keeps its numbers: {reason}")
        published = publish(
            window,
            counts_of(rows),
            last,
            policy,
            provenance,
            is_withdrawn=standing.is_withdrawn,
        )
        if published is not None:
            watched = watched_rates(published, sample, rates)
            figures = [
                *figure_rows(published, attempt, sample, rates),
                *(_row(published, attempt, each.figure) for each in watched),
            ]
            if (
                last
                and not reason
                and not provenance.is_judged_better(last.provenance, policy.min_users)
            ):
                figures = keep_judged(figures, standing.figures)
            name = rates.name(published.provenance.classifier_version)
            batch.add(rows_of(published, attempt, figures, name))
            if watched:
                batch.watched[published.name] = watched
    return batch


def figure_rows(
    published: Published,
    attempt: int,
    judged: JudgedSample = NO_SAMPLE,
    rates: GivenRates = SHIPPED,
) -> list[FigureRow]:
    """Returns the shares and means of a publication as rows."""
    measured = rates.of(published.provenance.classifier_version)
    figures = figures_of(published.cells, _noise(published), measured, judged)
    return [_row(published, attempt, figure) for figure in figures]


def watched_rates(
    published: Published, judged: JudgedSample, rates: GivenRates = SHIPPED
) -> list[Watched]:
    """Returns the classifier's recall and false alarms in a window, by its judged sample."""
    card = card_of(rates.of(published.provenance.classifier_version))
    return watch(published.cells, judged, _noise(published), card)


def _noise(published: Published) -> Noise:
    return Noise(published.policy.variance, published.policy.max_noise)


def _row(published: Published, attempt: int, figure: Figure) -> FigureRow:
    return FigureRow(published.name, attempt, *published.window, **figure._asdict())


def with_judge(
    provenance: Provenance, judged: Sequence[JudgedConversation], policy: Policy
) -> Provenance:
    """Adds to a window's provenance who judged its conversations, and how many."""
    judgements = len(judged) // policy.min_users * policy.min_users
    if not judgements:
        return provenance
    return provenance._replace(judge=judged[0].judge, judgements=judgements)


def counts_of(rows: Iterable[CountsRow]) -> WindowCounts:
    """Returns the counts of a window, with the generations of each place added up."""
    generations: defaultdict[Place, list[Cells]] = defaultdict(list)
    for row in rows:
        place = Place(BREAKDOWN_IDS[row.breakdown], row.breakdown_value)
        generations[place].append(cells_of_text(row.cells))
    return {
        place: parts[0] if len(parts) == 1 else add_overlapping(parts)
        for place, parts in generations.items()
    }


def provenance_of(rows: Sequence[CountsRow]) -> Provenance:
    """Returns the versions that counted a window; several are separated by commas."""

    def joined(values: Iterable[str]) -> str:
        return ",".join(sorted(set(values)))

    return Provenance(
        joined(row.key_id for row in rows),
        joined(row.metrics_version for row in rows),
        joined(row.classifier_version for row in rows),
        len({row.generation for row in rows}),
    )
