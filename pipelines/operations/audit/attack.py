"""Runs all attacks and says what they found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from pipelines.operations.audit import small_cells
from pipelines.operations.audit.columns import find_numbers, find_tables
from pipelines.operations.audit.corrections import changes, find_isolating_changes
from pipelines.operations.audit.evidence import (
    CHANCE,
    Evidence,
    Finding,
    Row,
    Score,
    chance_of_at_least,
)
from pipelines.operations.audit.exactness import ALL_CELLS, exactness, find_exact_numbers
from pipelines.operations.audit.judged.changes import find_exact_receipts, find_judged_changes
from pipelines.operations.audit.judged.exactness import (
    find_exact_judgements,
    find_withheld_judgements,
    judged_exactness,
)
from pipelines.operations.audit.judged.words import find_judged_words
from pipelines.operations.audit.sums import find_exact_sums
from pipelines.operations.audit.thresholds import find_small_rows
from pipelines.operations.audit.words import find_known_ids, find_words
from pipelines.terminal.text import NOTHING, aligned

_SHOWN: Final = 5
"""Of the findings of one attack, so many are shown."""

GUESSING: Final = "guessing small cells"
MOST_NEAR: Final = 0.40
"""The largest share of cells of five or more conversations that may be guessed to within one."""
FEWEST_MIDDLING: Final = 1_000
"""With fewer such cells, guesses are not judged. The cells of one day have the same conversations,
so chance moves them together, and a few small days tell little."""


@dataclass(frozen=True)
class Audit:
    """What all attacks found.

    Attributes:
      evidence: what was attacked.
      scores: how well small cells are guessed; empty if the truth is not known.
      findings: what should not be there.
    """

    evidence: Evidence
    scores: Sequence[Score]
    findings: Sequence[Finding]


def attack(
    evidence: Evidence,
    published: Mapping[str, Sequence[Row]],
    names: Iterable[str] = (),
    restricted: Mapping[str, Sequence[Row]] | None = None,
    known_ids: Sequence[str] = (),
    *,
    is_shared: bool = False,
) -> Audit:
    """Runs all attacks.

    Args:
      evidence: all publications.
      published: all rows of the published tables.
      names: the names of all tables and views of the published dataset.
      restricted: rows of restricted tables in which ids and text are looked for.
      known_ids: ids that no table may hold.
      is_shared: whether analysts can read the tables. If so, publications with exact numbers are a
        finding.
    """
    policies = [version.policy for version in evidence.protected()]
    lowest = min(policies, key=lambda p: p.min_conversations - p.max_noise, default=None)
    scores = small_cells.scores(evidence)
    findings = chain(
        _find_own_data(evidence) if is_shared else (),
        find_small_rows(evidence),
        find_exact_numbers(evidence),
        find_exact_sums(evidence),
        find_isolating_changes(evidence),
        find_judged_changes(evidence),
        find_exact_receipts(evidence),
        find_exact_judgements(evidence),
        find_withheld_judgements(evidence),
        find_tables(names),
        find_numbers(published, lowest if len(policies) == len(evidence.versions) else None),
        find_words(published),
        find_judged_words(restricted or {}),
        find_known_ids({**published, **(restricted or {})}, known_ids),
        find_good_guesses(scores),
    )
    return Audit(evidence, scores, list(findings))


def find_good_guesses(scores: Iterable[Score]) -> Iterator[Finding]:
    """Yields a finding for each attack that is better than the stated bound."""
    for score in scores:
        if not score.is_bounded or score.middling < FEWEST_MIDDLING:
            continue
        allowed = max(score.constant, score.expected) / score.cells
        if chance_of_at_least(score.exact, score.cells, allowed) < CHANCE:
            yield Finding(
                GUESSING,
                f"{score.attack}: {score.exact:,} of {score.cells:,} small cells are guessed "
                f"exactly, but a constant guess gets {score.constant:,}"
                + (f", and noise leaves {score.expected:,.0f}" if score.expected else ""),
            )
        # A constant guess may be near many cells without knowing anything.
        bound = max(MOST_NEAR, score.constant_near / score.middling if score.middling else 0)
        if chance_of_at_least(score.near, score.middling, bound) < CHANCE:
            yield Finding(
                GUESSING,
                f"{score.attack}: {score.near:,} of {score.middling:,} cells of "
                f"{small_cells.MIDDLING} conversations or more are located to within one",
            )


def _find_own_data(evidence: Evidence) -> Iterator[Finding]:
    exact = len(evidence.versions) - len(evidence.protected())
    if exact:
        yield Finding(
            "exact numbers", f"{exact:,} publications are exact, because they are own data, and "
            "analysts can read them",
        )  # fmt: skip


def audit_lines(audit: Audit) -> list[str]:
    """Returns the result as lines of plain text."""
    evidence = audit.evidence
    own = len(evidence.versions) - len(evidence.protected())
    lines = [
        f"{len(evidence.versions):,} publications of {len(evidence.by_window()):,} windows, every "
        "version",
    ]
    if own:
        lines.append(f"{own:,} publications are own data: their numbers are meant to be exact")
    lines += ["", *aligned(_summary(audit)), ""]
    if audit.scores:
        lines += [*aligned(score_rows(audit.scores)), ""]
    else:
        lines += ["the truth is not known here, so no guess can be scored", ""]
    if not audit.findings:
        return [*lines, "no attack found anything beyond the stated bounds"]
    return [*lines, *_finding_lines(audit.findings)]


def _finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    by_attack: dict[str, list[str]] = {}
    for finding in findings:
        by_attack.setdefault(finding.attack, []).append(finding.sentence)
    for name, sentences in by_attack.items():
        yield from (f"{name}: {sentence}" for sentence in sentences[:_SHOWN])
        if len(sentences) > _SHOWN:
            yield f"{name}: and {len(sentences) - _SHOWN:,} more"


def _summary(audit: Audit) -> list[tuple[str, str]]:
    compared = list(changes(audit.evidence))
    isolating = [len(change.isolating) for change in compared]
    tally = exactness(audit.evidence).get(ALL_CELLS)
    numbers = sum(1 for v in audit.evidence.protected() for _ in v.cells())
    most = max((change.facts for change in compared), default=0)
    return [
        ("published numbers", f"{numbers:,}"),
        ("numbers that are exact", f"{tally.exact / tally.numbers:.1%}" if tally else NOTHING),
        ("expected from the noise", f"{tally.expected_share:.1%}" if tally else NOTHING),
        ("pairs of versions compared", f"{len(compared):,}"),
        ("cells that differ between them", f"{sum(c.cells for c in compared):,}"),
        ("of these, isolating fewer than min_users", f"{sum(isolating):,}"),
        ("most facts that one change reveals", f"{most:,}"),
        *_judged_summary(audit.evidence),
    ]  # fmt: skip


def _judged_summary(evidence: Evidence) -> Iterator[tuple[str, str]]:
    for name, judged in judged_exactness(evidence).tallies():
        if judged.numbers:
            yield name, f"{judged.numbers:,}"
            yield "of these exact", f"{judged.exact / judged.numbers:.1%}"
            yield "the noise leaves at most", f"{judged.expected_share:.1%}"


def score_rows(scores: Sequence[Score]) -> list[tuple[str, ...]]:
    """Returns the scores as the rows of a table, with a header."""
    rows: list[tuple[str, ...]] = [
        (
            "attack",
            "small cells",
            "exact",
            "constant",
            "advantage",
            "5 or more",
            "within 1",
            "constant",
        )
    ]
    for score in scores:
        cells, middling = max(score.cells, 1), max(score.middling, 1)
        rows.append(
            (
                score.attack,
                f"{score.cells:,}",
                f"{score.exact / cells:.1%}",
                f"{score.constant / cells:.1%}",
                f"{100 * score.advantage:+.1f} pp",
                f"{score.middling:,}",
                f"{score.near / middling:.1%}",
                f"{score.constant_near / middling:.1%}",
            )
        )
    return rows
