"""Chooses the sample of a day, or of a whole run, from the candidates.

The conversations with the smallest priorities are the sample, as many as the budget allows. Given
the first priority outside the sample, each conversation is in the sample with a known probability,
independently of the others, as in Poisson sampling (Duffield, Lund and Thorup 2007, "Priority
sampling for estimation of arbitrary subset sums"). So the sample has the size of the budget, and it
is the same for a stream and a batch, and for any order of arrival.

This module does not use Beam.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from schemas.breakdowns import ATTRIBUTES
from schemas.judged import CandidatesRow, SampleRow, joined_names
from schemas.labels import PUSHBACK_REASONS, USES, named, type_name
from transforms.counting.candidates import Candidate, candidates_of_text
from transforms.judging.identity import RANDOM_SPACE


def choose(rows: Iterable[CandidatesRow], budget: int, attempt: int) -> list[SampleRow]:
    """Chooses the sample of one day, or of several days together.

    Args:
      rows: the current candidates of all their hours, in any order. If several generations have
        counted an hour, each has a row.
      budget: how many conversations to judge.
      attempt: start of the judging job, microseconds since the epoch.

    Returns:
      The sample in the order of priority: at most `budget` conversations, or fewer if there are
      fewer. If an hour has dropped candidates, none beyond its edge is chosen.

    Raises:
      ValueError: if the candidates were written by another version, or with several secrets.
    """
    sources: dict[Candidate, CandidatesRow] = {}
    edge = RANDOM_SPACE
    for row in rows:
        if row.edge is not None:
            edge = min(edge, row.edge)
        for candidate in candidates_of_text(row.candidates):
            known = sources.get(candidate)
            if known is None or known.generation < row.generation:
                sources[candidate] = row
    secrets = {row.key_id for row in sources.values()}
    if len(secrets) > 1:
        raise ValueError(
            f"the candidates were counted with {len(secrets)} secrets, so the same conversation "
            "has several hashes; backfill these days"
        )
    ordered = [candidate for candidate in sorted(sources) if candidate.priority < edge]
    if len(ordered) > budget:
        edge = ordered[budget].priority
        # Equal priorities are all out, so that each probability is exact.
        ordered = [candidate for candidate in ordered[:budget] if candidate.priority < edge]
    return [_row(candidate, edge, sources[candidate], attempt) for candidate in ordered]


def _row(candidate: Candidate, edge: int, source: CandidatesRow, attempt: int) -> SampleRow:
    profile = candidate.profile
    traits = profile.traits
    return SampleRow(
        day_us=candidate.day_us,
        conversation=candidate.id.hex(),
        started_at_us=candidate.started_at_us,
        breakdowns=json.dumps(dict(zip(ATTRIBUTES, profile.stated, strict=True))),
        probability=min(1.0, edge * candidate.weight / RANDOM_SPACE),
        gate_logit=profile.gate_logit,
        human_messages=traits.human_messages,
        assistant_messages=traits.assistant_messages,
        types=joined_names(traits.type_names),
        use=USES[traits.use],
        opening_type=type_name(traits.opening_type),
        closing_type=type_name(traits.closing_type),
        pushback_reasons=joined_names(named(PUSHBACK_REASONS, traits.pushback_reasons)),
        sentiment_change_300ths=profile.change if traits.has_change else None,
        key_id=source.key_id,
        metrics_version=source.metrics_version,
        classifier_version=source.classifier_version,
        attempt=attempt,
    )
