"""What the tables break conversations down by: each breakdown is declared once, here.

To add one that events state:

1. add a string field of its name to `conversation_event.proto`;
2. add an entry to `BREAKDOWNS`, with the next free id;
3. run `make generate`, which writes the code of the proto, the Avro schema and the catalogue.

The readers of the wire, the tables' descriptions and the report follow the list.
Nothing here imports another module of the project.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

UNKNOWN: Final = "unknown"
"""The value of a conversation whose events do not state the attribute."""
OTHER: Final = "other"
"""The value that replaces one which is not valid, or is not on the operator's list."""
RESERVED: Final = frozenset({"all", "not_published"})
"""Words that the tables use for cells of their own. No event can state them."""


class Kind(enum.Enum):
    """The kind of value that events may state for a breakdown; the text says what is valid."""

    COUNTRY = "an ISO 3166-1 alpha-2 code, e.g. DE"
    LANGUAGE = "a BCP 47 primary language, e.g. pt (pt-BR counts as pt)"
    NAME = "at most 40 letters, digits, dots, dashes and underscores, with a letter among them"


@dataclass(frozen=True)
class Breakdown:
    """One breakdown.

    Attributes:
      id: names the breakdown in stored state. It never changes and is never given to another.
      name: names it in the tables and, where events state it, in the event schema.
      label: names it in the report.
      meaning: what a value of it says, as a sentence for the catalogue.
      kind: which values events may state; None where no event states it.
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
    Breakdown(2, "country", "Country", "Where the user is.", Kind.COUNTRY),
    Breakdown(
        3, "language", "Language",
        "What the conversation is in; told from the text where no event states it.",
        Kind.LANGUAGE,
    ),
    Breakdown(4, "plan", "Plan", "What the user pays for, as the producer names it.", Kind.NAME),
    Breakdown(5, "model", "Model", "What answers, as the producer names it.", Kind.NAME),
    Breakdown(6, "length", "Length", "How many human messages there are, as a band."),
)  # fmt: skip
"""All breakdowns, in the order of the catalogue and of the report. The next free id is 7."""

_NAMES: Final = [b.name for b in BREAKDOWNS]
ANY_NAME: Final = f"{', '.join(_NAMES[:-1])} or {_NAMES[-1]}"
"""The names in a sentence, for what describes a column."""

STATED: Final[dict[str, Kind]] = {b.name: b.kind for b in BREAKDOWNS if b.kind is not None}
"""The breakdowns whose values events state, and the kind of each."""

ATTRIBUTES: Final = tuple(STATED)
"""What an event may state about its conversation besides its user."""
