"""A facet: one question about a conversation, declared once, in a module of its own.

Slices, state, tables, catalogue, views and report are derived from the declaration.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from schemas.labels import TYPES, USES
from schemas.records import ConversationSummary

ALL: Final = "all"
AFFECTIVE: Final = "affective"
GROUPS: Final = (ALL, AFFECTIVE, *TYPES)
"""Groups of conversations within which long ones, moods and pushback are counted."""

_AFFECTIVE_USE: Final = USES.index(AFFECTIVE)
_MAX_ID: Final = 2**15


class Traits(NamedTuple):
    """What facets may know about a conversation.

    It is the part of the summary that is the same for many conversations, so that `slices_of` can
    cache its results.

    Attributes:
      human_messages, assistant_messages: distinct messages of each role.
      types: bit i is set if the conversation has type i of `labels.TYPES`.
      use: index into `labels.USES`.
      opening_type, closing_type: index into `labels.TYPES`, -1 for none.
      has_change: whether its change of mood is defined.
      pushback_reasons: bit i is set if the assistant pushed back for reason i of
        `labels.PUSHBACK_REASONS`.
    """

    human_messages: int
    assistant_messages: int
    types: int
    use: int
    opening_type: int
    closing_type: int
    has_change: bool
    pushback_reasons: int

    @property
    def type_names(self) -> tuple[str, ...]:
        """The names of the conversation's types."""
        return tuple(name for i, name in enumerate(TYPES) if self.types >> i & 1)

    @property
    def groups(self) -> tuple[str, ...]:
        """The `GROUPS` that the conversation is in."""
        affective = (AFFECTIVE,) if self.use == _AFFECTIVE_USE else ()
        return (ALL, *affective, *self.type_names)


def traits_of(summary: ConversationSummary) -> Traits:
    """Returns what facets may know about a conversation."""
    return Traits(
        summary.human_messages,
        summary.assistant_messages,
        summary.types,
        summary.use,
        summary.opening_type,
        summary.closing_type,
        summary.sentiment_change_sixths is not None,
        summary.pushback_reasons,
    )


class ShareOf(enum.StrEnum):
    """Which conversations a facet's values are a share of."""

    NONE = "none"
    """The facet is not published as a share."""
    ALL = "all"
    """All conversations."""
    GROUP = "group"
    """The group that the value names: long coaching conversations are a share of coaching."""
    PUSHBACK = "pushback"
    """The conversations with pushback."""
    OPENING = "opening"
    """The conversations that opened with the same type."""


class Correction(enum.StrEnum):
    """How the view `ratios` corrects a share for the classifier's errors."""

    COUNTED = "counted"
    """Nothing was classified, so there is nothing to correct."""
    DIRECT = "direct"
    """The value's own error rates correct it (Rogan and Gladen 1978)."""
    QUOTIENT = "quotient"
    """It is a corrected part divided by a corrected whole."""
    INSIDE = "inside"
    """It is a share within a classified whole, and the whole's false alarms are taken out."""
    NONE = "none"
    """The share is published raw."""


@dataclass(frozen=True)
class Facet:
    """One question about a conversation, and its possible answers.

    Attributes:
      id: names the facet in stored state; never changed and never given to another facet.
      name: the facet's name in the tables.
      values: all values it can have; stored state names them, so a value is never renamed.
      members: returns the values that a conversation has.
      share_of: what the values are a share of.
      correction: how the share is corrected.
      definition: what the facet means, one or two sentences for catalogue and report.
      label: the heading in the report.
      terms: what the words mean that the report shows for single values.
      is_partition: whether each conversation of the whole has exactly one value.
      sums_change: whether cells also sum the change of mood.
      rated_values: values whose error rates are measured for a classifier.
      left_out_of: names of breakdowns whose own cells already say the same number.

    Raises:
      ValueError: if the id is out of range, if values are missing or repeated, or if
        `rated_values` are not among the values.
    """

    id: int
    name: str
    values: tuple[str, ...]
    members: Callable[[Traits], Iterable[str]]
    share_of: ShareOf
    correction: Correction
    definition: str
    label: str
    terms: Mapping[str, str] = field(default_factory=dict)
    is_partition: bool = False
    sums_change: bool = False
    rated_values: tuple[str, ...] = ()
    left_out_of: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not 0 < self.id < _MAX_ID:
            raise ValueError(f"facet {self.name}: id must be 1..{_MAX_ID - 1}, got {self.id}")
        if len(set(self.values)) != len(self.values) or not self.values:
            raise ValueError(
                f"facet {self.name}: values must be distinct, at least one, got {self.values}"
            )
        if not set(self.rated_values) <= set(self.values):
            raise ValueError(
                f"facet {self.name}: rated_values must be among its values {self.values}, "
                f"got {self.rated_values}"
            )
