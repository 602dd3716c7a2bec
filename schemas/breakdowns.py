"""What the tables break conversations down by: each breakdown is declared once, here.

To add one that events state:

1. add a string field with its name to `conversation_event.proto`;
2. add an entry to `BREAKDOWNS`, with the next free id;
3. run `make generate`, which writes the code of the proto, the Avro schema and the catalogue.

The wire format, the tables' descriptions and the report follow the list.
Nothing here imports another module of the project.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

UNKNOWN: Final = "unknown"
"""The value of a conversation whose events state none."""
OTHER: Final = "other"
"""Replaces a value that is not valid or not on the operator's list."""
RESERVED: Final = frozenset({"all", "not_published"})
"""Words that name special cells in the tables. No event can state them."""


class Kind(enum.Enum):
    """The kind of value that events may state; the text says which values are valid."""

    COUNTRY = "an ISO 3166-1 alpha-2 code, e.g. DE"
    LANGUAGE = "a BCP 47 primary language, e.g. pt (pt-BR counts as pt)"
    NAME = "at most 40 letters, digits, dots, dashes and underscores, with a letter among them"


@dataclass(frozen=True)
class Breakdown:
    """One breakdown.

    Attributes:
      id: names the breakdown in stored state. It never changes and is never reused.
      name: names it in the tables and, if events state it, in the event schema.
      label: names it in the report.
      meaning: what a value means, as a sentence for the catalogue.
      kind: which values events may state; None if events do not state it.
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
"""The breakdowns whose values events state, and the kind of each."""

ATTRIBUTES: Final = tuple(STATED)
"""What an event may state about its conversation besides its user."""
