"""A facet: one question about a conversation. Each facet is declared once, in its own module.

The slices, state, tables, catalogue, views and report are derived from the declarations.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from schemas.labels import TYPES, USES, named
from schemas.records import ConversationSummary

ALL: Final = "all"
AFFECTIVE: Final = "affective"
GROUPS: Final = (ALL, AFFECTIVE, *TYPES)
"""Groups of conversations. Long ones, changes of mood and pushback are counted for each group."""

_AFFECTIVE_USE: Final = USES.index(AFFECTIVE)
_MAX_ID: Final = 2**15


class Traits(NamedTuple):
    """The facts about a conversation that facets may use.

    These are parts of the summary that are equal for many conversations, so that `slices_of` can
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
        return named(TYPES, self.types)

    @property
    def groups(self) -> tuple[str, ...]:
        """The names from `GROUPS` of the groups that the conversation is in."""
        affective = (AFFECTIVE,) if self.use == _AFFECTIVE_USE else ()
        return (ALL, *affective, *self.type_names)


def traits_of(summary: ConversationSummary) -> Traits:
    """Returns the facts about a conversation that facets may use."""
    return Traits(
        summary.human_messages,
        summary.assistant_messages,
        summary.types,
        summary.use,
        summary.opening_type,
        summary.closing_type,
        summary.sentiment_change_300ths is not None,
        summary.pushback_reasons,
    )


class ShareOf(enum.StrEnum):
    """The denominator of a facet's shares: the conversations among which a value is counted."""

    NONE = "none"
    """The facet is not published as a share."""
    ALL = "all"
    """All conversations."""
    GROUP = "group"
    """The group named by the value, e.g. all coaching conversations for `coaching`."""
    AFFECTIVE = "affective"
    """The affective conversations. Values that are not affective have no such share."""
    LONG = "long"
    """The long conversations."""
    PUSHBACK = "pushback"
    """The conversations with pushback."""
    OPENING = "opening"
    """The conversations with the opening type that the value names."""
    LONG_OPENING = "long_opening"
    """The long conversations with the opening type that the value names."""
    FIRST_VALUE = "first_value"
    """The conversations with the facet's first value, which contains the others."""


class Correction(enum.StrEnum):
    """How a share is corrected for the classifier's errors; see `transforms.estimation`."""

    COUNTED = "counted"
    """Nothing was classified, so there is nothing to correct."""
    DIRECT = "direct"
    """The share is corrected with the value's own error rates (Rogan and Gladen 1978)."""
    QUOTIENT = "quotient"
    """The corrected numerator is divided by the corrected denominator."""
    INSIDE = "inside"
    """The denominator is classified, and its false positives are removed from the share."""
    UNION = "union"
    """The corrected shares of the values that it unites bound the share."""
    NONE = "none"
    """The share is published without a correction."""


@dataclass(frozen=True)
class Facet:
    """One question about a conversation, and its possible answers.

    Attributes:
      id: identifies the facet in stored state. It must never change or be given to another facet.
      name: the facet's name in the tables.
      values: all values that it can have. They are in stored state, so never rename one.
      members: returns the values that a conversation has.
      share_of: the denominator of the shares.
      correction: how the share is corrected.
      definition: the meaning of the facet in one or two sentences, for the catalogue and the
        report.
      label: the heading in the report.
      terms: explanations of the names that the report uses for single values.
      also_share_of: a second denominator.
      is_partition: whether each conversation of the denominator has exactly one value.
      sums_change: whether cells also sum the change of mood.
      rated_values: values for which the classifier's error rates are measured.
      unites: types that are counted together, if `correction` is `UNION`.
      left_out_of: names of breakdowns whose own cells already contain the numbers of this facet.

    Raises:
      ValueError: if the id is out of range, if there are no values, if a value is repeated, or if
        `rated_values` contains a name that is not among the values.
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
    also_share_of: ShareOf = ShareOf.NONE
    is_partition: bool = False
    sums_change: bool = False
    rated_values: tuple[str, ...] = ()
    unites: tuple[str, ...] = ()
    left_out_of: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not 0 < self.id < _MAX_ID:
            raise ValueError(f"facet {self.name}: id must be 1..{_MAX_ID - 1}, got {self.id}")
        if len(set(self.values)) != len(self.values) or not self.values:
            raise ValueError(
                f"facet {self.name}: needs at least one value and no duplicates, got {self.values}"
            )
        if not set(self.rated_values) <= set(self.values):
            raise ValueError(
                f"facet {self.name}: rated_values must be among its values {self.values}, "
                f"got {self.rated_values}"
            )
