"""How far readers agree: Cohen's kappa, and how many conversations they label alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import combinations
from typing import Final, NamedTuple

from pipelines.labelling.reading import Key, Reading, latest
from schemas.labels import TYPES, USES
from transforms.judging.kappa import kappa

_AFFECTIVE: Final = USES[0]


class Agreement(NamedTuple):
    """How far two readers agree on one question.

    Attributes:
      question: `affective`, `use`, a name of `labels.TYPES`, or `pushback`.
      conversations: how many conversations both have read.
      agreed: how many of them both label alike.
      kappa: agreement beyond chance, at most 1; None if both always gave the same single answer,
        because then kappa is not defined.
    """

    question: str
    conversations: int
    agreed: int
    kappa: float | None


class PairAgreement(NamedTuple):
    """How far two readers agree, question by question; empty if they share no conversation."""

    first: str
    second: str
    questions: tuple[Agreement, ...]


def agreements(readings: Iterable[Reading]) -> list[PairAgreement]:
    """Returns the agreement of each two readers, in the order in which they began.

    A reader's last reading of a conversation counts. Final readings do not: whoever settles a
    disagreement has seen both sides.
    """
    by_reader: dict[str, dict[Key, Reading]] = {}
    for (key, reader), reading in latest(r for r in readings if not r.final).items():
        by_reader.setdefault(reader, {})[key] = reading
    return [
        PairAgreement(first, second, _questions(by_reader[first], by_reader[second]))
        for first, second in combinations(by_reader, 2)
    ]


def _questions(first: dict[Key, Reading], second: dict[Key, Reading]) -> tuple[Agreement, ...]:
    pairs = [(first[key], second[key]) for key in first if key in second]
    return tuple(_agreement(name, answer, pairs) for name, answer in _ANSWERS if pairs)


def _agreement(
    question: str,
    answer: Callable[[Reading], Hashable],
    pairs: Sequence[tuple[Reading, Reading]],
) -> Agreement:
    first, second = ([answer(pair[side]) for pair in pairs] for side in (0, 1))
    agreed = sum(a == b for a, b in zip(first, second, strict=True))
    return Agreement(question, len(pairs), agreed, kappa(Counter(zip(first, second, strict=True))))


def _has_type(name: str) -> Callable[[Reading], Hashable]:
    return lambda reading: name in reading.types


_ANSWERS: Final[tuple[tuple[str, Callable[[Reading], Hashable]], ...]] = (
    ("affective", lambda reading: reading.use == _AFFECTIVE),
    *((name, _has_type(name)) for name in TYPES),
    ("use", lambda reading: reading.use),
    ("pushback", lambda reading: bool(reading.pushback_reasons)),
)
