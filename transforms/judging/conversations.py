"""Joins the sample with its judgements: what the classifier and the judge say about the same text.

This module does not use Beam.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final, NamedTuple

from schemas.breakdowns import ATTRIBUTES
from schemas.judged import (
    JudgedLabels,
    JudgementRow,
    SampleRow,
    judge_name,
    judgement_labels,
    split_names,
)
from schemas.labels import NO_TYPE, PUSHBACK_REASONS, TYPES, USES
from transforms.classifiers.interface import NO_INDEX
from transforms.conversation.state import MAX_HUMAN
from transforms.conversation.summary import MIN_MESSAGES_FOR_CHANGE
from transforms.counting.cells import DAY_US
from transforms.counting.profile import Profile
from transforms.facets.facet import Traits
from transforms.judging.response import Key, judged_part

MIN_JUDGED: Final = 15
"""With fewer judged conversations, there is no estimate."""

CHANGE_UNITS_PER_POINT: Final = 300
PEOPLE: Final = "labels"
"""Name of the judge that takes the labels that people gave."""

_JUDGES: Final = (PEOPLE, "llm", "accurate")
_KEY_BYTES: Final = 4


class JudgedConversation(NamedTuple):
    """One judged conversation.

    Attributes:
      started_at_us: when it began.
      probability: the probability with which it was sampled.
      key: a secret number from 0 to 2**32 - 1. The keys of the conversations that a judged number
        is made from add up to the key of its noise.
      said: what the classifier says. Its hour, its values and its length are facts.
      truth: what the judge says, with the same facts.
      judge: name and version of the judge.
      checked: what people say, if the judge is not people and they have judged it too.
    """

    started_at_us: int
    probability: float
    key: int
    said: Profile
    truth: Profile
    judge: str
    checked: Profile | None = None

    @property
    def has_change(self) -> bool:
        """Whether both the classifier and the judge give a change of mood."""
        return self.said.traits.has_change and self.truth.traits.has_change


def join(
    sample: Iterable[SampleRow], judgements: Iterable[JudgementRow]
) -> list[JudgedConversation]:
    """Joins a sample with its judgements, in the order of start and hash.

    Only one judge counts: people, if they have labelled at least half as many conversations as any
    other judge. Otherwise it is a language model, or else the sentence encoder, in their latest
    version, and the labels of people tell its errors. A judge must have labelled `MIN_JUDGED`
    conversations.

    Args:
      sample: the samples of one or several days.
      judgements: the current judgements of every judge. Those of conversations that are not in the
        sample, or have been sampled in another form, are left out.
    """
    known = {(row.conversation, row.started_at_us): row for row in sample}
    labels: defaultdict[tuple[str, str], dict[Key, JudgedLabels]] = defaultdict(dict)
    last_at_us: dict[tuple[str, str], int] = {}
    for row in sorted(judgements, key=lambda row: row.judged_at_us):
        key, judge = (row.conversation, row.started_at_us), (row.judge, row.judge_version)
        said = judgement_labels(row)
        if said is not None and key in known and _is_same(row, known[key]):
            labels[judge][key] = said
            last_at_us[judge] = row.judged_at_us
    most = max(map(len, labels.values()), default=0)
    able = [
        judge
        for judge, given in labels.items()
        if len(given) >= MIN_JUDGED and (judge[0] != PEOPLE or 2 * len(given) >= most)
    ]
    if not able:
        return []
    chosen = min(able, key=lambda judge: (_preference(judge[0]), -last_at_us[judge]))
    name, given = judge_name(*chosen), labels[chosen]
    people: dict[Key, JudgedLabels] = {}
    if chosen[0] != PEOPLE:
        for judge in sorted(labels, key=last_at_us.__getitem__):
            people |= labels[judge] if judge[0] == PEOPLE else {}
    rows = judged_part(known.values(), given)
    rows.sort(key=lambda row: (row.started_at_us, row.conversation))
    keys = [(row.conversation, row.started_at_us) for row in rows]
    return [
        _joined(row, given[key], people.get(key), name) for row, key in zip(rows, keys, strict=True)
    ]


def _is_same(row: JudgementRow, sampled: SampleRow) -> bool:
    """Tells whether the judge saw as many human messages as were counted.

    Above `MAX_HUMAN`, the counted number is an estimate.
    """
    counted = sampled.human_messages
    return row.human_messages == counted or min(row.human_messages, counted) > MAX_HUMAN


def _preference(judge: str) -> int:
    return _JUDGES.index(judge) if judge in _JUDGES else len(_JUDGES)


def _joined(
    row: SampleRow, labels: JudgedLabels, people: JudgedLabels | None, judge: str
) -> JudgedConversation:
    said = _said(row)
    return JudgedConversation(
        row.started_at_us,
        row.probability,
        _key(row.conversation, judge),
        said,
        _truth(said, labels),
        judge,
        None if people is None else _truth(said, people),
    )


def _key(conversation: str, judge: str) -> int:
    """Returns a conversation's key. Another judge gives all numbers another noise.

    Otherwise a new version of a judge would show which numbers it changed, and so whose labels.
    """
    name = f"{conversation} {judge}".encode()
    return int.from_bytes(blake2b(name, digest_size=_KEY_BYTES).digest(), "big")


def _said(row: SampleRow) -> Profile:
    values: dict[str, str] = json.loads(row.breakdowns)
    traits = Traits(
        human_messages=row.human_messages,
        assistant_messages=row.assistant_messages,
        types=_mask(split_names(row.types), TYPES),
        use=USES.index(row.use),
        opening_type=_type_index(row.opening_type),
        closing_type=_type_index(row.closing_type),
        has_change=row.sentiment_change_300ths is not None,
        pushback_reasons=_mask(split_names(row.pushback_reasons), PUSHBACK_REASONS),
    )
    return Profile(
        row.started_at_us % DAY_US,
        tuple(values[name] for name in ATTRIBUTES),
        traits,
        row.sentiment_change_300ths or 0,
        row.gate_logit,
    )


def _truth(said: Profile, labels: JudgedLabels) -> Profile:
    change = _change(said.traits.human_messages, labels)
    traits = said.traits._replace(
        types=_mask(labels.types, TYPES),
        use=USES.index(labels.use),
        opening_type=_type_index(labels.opening_type),
        closing_type=_type_index(labels.closing_type),
        has_change=change is not None,
        pushback_reasons=_mask(labels.pushback_reasons, PUSHBACK_REASONS),
    )
    return said._replace(traits=traits, change=change or 0)


def _change(human_messages: int, labels: JudgedLabels) -> int | None:
    if (
        human_messages < MIN_MESSAGES_FOR_CHANGE
        or labels.mood_start is None
        or labels.mood_end is None
    ):
        return None
    return round((labels.mood_end - labels.mood_start) * CHANGE_UNITS_PER_POINT)


def _mask(names: Iterable[str], known: tuple[str, ...]) -> int:
    return sum(1 << known.index(name) for name in names)


def _type_index(name: str) -> int:
    return NO_INDEX if name == NO_TYPE else TYPES.index(name)
