"""The breakdowns: the attributes by which the tables group conversations, such as country.

Each breakdown is declared once, in this module. To add one whose values are stated by events:

1. add a string field with its name to `conversation_event.proto`;
2. add an entry to `BREAKDOWNS`, with the next free id;
3. run `make generate`, which writes the code of the proto, the Avro schema and the catalogue.

The wire format, the descriptions of the tables and the report adapt to the list by themselves.
This module does not import any other module of the project.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

UNKNOWN: Final = "unknown"
"""The value of a breakdown for a conversation whose events do not state it."""
OTHER: Final = "other"
"""Replaces every value that is invalid or is not on the operator's list."""
RESERVED: Final = frozenset({"all"})
"""Values with a special meaning in the tables. Events can't state them."""


class Kind(enum.Enum):
    """The kind of a breakdown's values; each member's text says which values are valid."""

    COUNTRY = "an ISO 3166-1 alpha-2 code, e.g. DE"
    LANGUAGE = "a BCP 47 primary language, e.g. pt (pt-BR counts as pt)"
    NAME = "at most 40 letters, digits, dots, dashes and underscores, with a letter among them"


@dataclass(frozen=True)
class Breakdown:
    """One breakdown.

    Attributes:
      id: identifies the breakdown in stored state. It never changes and is never reused.
      name: name in the tables and, if events state the breakdown, in the event schema.
      label: name in the report.
      meaning: a sentence for the catalogue that explains the values.
      kind: the kind of values that events may state; None if events do not state the breakdown.
    """

    id: int
    name: str
    label: str
    meaning: str
    kind: Kind | None = None


BREAKDOWNS: Final = (
    Breakdown(0, "overall", "Overall", "All conversations; its only value is all."),
    Breakdown(
        1, "platform", "Platform", "Where the assistant is used, as the producer names it.",
        Kind.NAME,
    ),
    Breakdown(2, "country", "Country", "Country of the user.", Kind.COUNTRY),
    Breakdown(
        3, "language", "Language",
        "Language of the conversation; detected from the text if no event states it.",
        Kind.LANGUAGE,
    ),
    Breakdown(4, "plan", "Plan", "Plan of the user, as the producer names it.", Kind.NAME),
    Breakdown(5, "model", "Model", "Model that answers, as the producer names it.", Kind.NAME),
    Breakdown(6, "length", "Length", "Number of human messages, as a range."),
)  # fmt: skip
"""All breakdowns, in the order of the catalogue and of the report. The next free id is 7."""

_NAMES: Final = [b.name for b in BREAKDOWNS]
ANY_NAME: Final = f"{', '.join(_NAMES[:-1])} or {_NAMES[-1]}"
"""All names as a list in words, for descriptions of columns."""

STATED: Final[dict[str, Kind]] = {b.name: b.kind for b in BREAKDOWNS if b.kind is not None}
"""The breakdowns whose values are stated by events, each with the kind of its values."""

ATTRIBUTES: Final = tuple(STATED)
"""The fields that describe the conversation in an event, apart from the user."""
