"""Explicit, compact and deterministic coders for types that are shuffled or kept in state.

Importing this module registers the coders, so that Beam finds one for each declared output type.
Without them Beam would pickle the values. Pickling costs more than twice as much as these coders,
and with it a new version of the job could not take over the state of a running job.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from apache_beam import coders

from schemas.counts import CountsRow
from schemas.judged import CandidatesRow
from schemas.records import (
    ConversationSummary,
    DeadLetter,
    DeadLetterRow,
    LedgerEntry,
    LedgerTotal,
    LongConversation,
    SignedSummary,
    StructCodec,
)
from transforms.conversation.history import ConversationHistory
from transforms.conversation.spans import Span
from transforms.conversation.state import ConversationState
from transforms.counting.register import DayRegister
from transforms.counting.running import RunningPlace
from transforms.counting.totals import PlaceChange
from transforms.counting.user_day import UserDay

CODED: Final = (
    CandidatesRow,
    ConversationHistory,
    ConversationState,
    ConversationSummary,
    CountsRow,
    DayRegister,
    DeadLetter,
    DeadLetterRow,
    LedgerEntry,
    LedgerTotal,
    LongConversation,
    PlaceChange,
    RunningPlace,
    SignedSummary,
    Span,
    UserDay,
)
"""Every type of the project that may be shuffled or kept in state."""

_BYTES_A_CELL: Final = 24


class CanonicalCoder(coders.Coder):
    """Encodes structs as MessagePack, and other types with their own `encode` and `decode`."""

    def __init__(self, type_: type[Any]) -> None:
        self._type = type_
        if issubclass(type_, msgspec.Struct):
            codec = StructCodec(type_)
            self.encode, self.decode = codec.encode, codec.decode
        else:
            self.encode, self.decode = type_.encode, type_.decode

    @classmethod
    def from_type_hint(cls, typehint: type[Any], registry: object) -> CanonicalCoder:
        """Returns the coder of a registered type."""
        del registry  # The coder of a type does not depend on other registered types.
        return cls(typehint)

    def is_deterministic(self) -> bool:
        """Returns True, because equal values have equal bytes."""
        return True

    def estimate_size(self, value: Any) -> int:
        """Returns the approximate size of a value in bytes, for Beam's metrics.

        The size of totals is estimated from the number of cells. The exact size would require
        encoding all cells only to count their bytes.
        """
        if isinstance(value, PlaceChange):
            return len(value.cells) * _BYTES_A_CELL
        return len(self.encode(value))

    def to_type_hint(self) -> type[Any]:
        """Returns the coded type."""
        return self._type

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CanonicalCoder) and other._type is self._type

    def __hash__(self) -> int:
        return hash(self._type)

    def __reduce__(self) -> tuple[Any, ...]:
        return (CanonicalCoder, (self._type,))


for _type in CODED:
    coders.registry.register_coder(_type, CanonicalCoder)
