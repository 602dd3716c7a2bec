"""One reader's work on a sample: what to read next, and what was saved. Knows no HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from pipelines.judges.definitions import VERSION
from pipelines.judges.interface import Transcript
from pipelines.labelling.agreement import PairAgreement, agreements
from pipelines.labelling.reading import Key, Reading
from pipelines.labelling.store import LabelFile
from schemas.labels import NO_TYPE, SENTIMENT_STEPS

MOODS_PER_END: Final = 3
"""The mood at each end is the mean of three human messages; docs/metrics.md."""

MIN_MOOD_HUMAN_MESSAGES: Final = 2 * MOODS_PER_END
"""A change of mood is defined for conversations of at least six human messages."""

_DIGITS: Final = 4


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The labels that the page sends; see `Reading`."""

    use: str
    types: tuple[str, ...] = ()
    opening_type: str = NO_TYPE
    closing_type: str = NO_TYPE
    pushback_reasons: tuple[str, ...] = ()
    moods: tuple[float, ...] = ()


class Item(NamedTuple):
    """One conversation to read, and the reader's own earlier labels of it, if any."""

    place: int
    transcript: Transcript
    own: Reading | None


class Progress(NamedTuple):
    """How many of the sampled conversations the reader has labelled."""

    done: int
    total: int


class Session:
    """One reader's queue over the sampled conversations.

    A reader never sees another reader's labels of a conversation: `item` returns only the reader's
    own. A conversation that has grown since it was labelled comes up again.

    Threads may share a session.
    """

    def __init__(self, transcripts: Iterable[Transcript], file: LabelFile, reader: str) -> None:
        """Reads what was labelled before.

        Args:
          transcripts: the sampled conversations, in the order in which to read them.
          file: where labels are saved.
          reader: the reader's name; not empty.

        Raises:
          InputError: if the file of labels can't be read.
        """
        if not reader:
            raise ValueError("reader must not be empty")
        self.reader = reader
        self._file = file
        self._transcripts = tuple(transcripts)
        self._lock = threading.Lock()
        self._own: dict[Key, Reading] = {
            reading.key: reading for reading in file.read() if reading.reader == reader
        }

    @property
    def progress(self) -> Progress:
        """How far the reader has come."""
        done = sum(self._reading_of(transcript) is not None for transcript in self._transcripts)
        return Progress(done, len(self._transcripts))

    def item(self, place: int) -> Item | None:
        """Returns one conversation, or None if there is no such place (from 0)."""
        if not 0 <= place < len(self._transcripts):
            return None
        transcript = self._transcripts[place]
        return Item(place, transcript, self._reading_of(transcript))

    def next_place(self, after: int = -1) -> int | None:
        """Returns the next conversation without labels after a place, or else before it.

        None means that the reader has labelled all conversations.
        """
        count = len(self._transcripts)
        order = [*range(after + 1, count), *range(min(after + 1, count))]
        return next((i for i in order if self._reading_of(self._transcripts[i]) is None), None)

    def save(self, place: int, answer: Answer) -> str | None:
        """Saves the labels of one conversation. When this returns None, they are on disk.

        Returns:
          None, or a sentence that says why the labels are not valid. Then nothing is saved.

        Raises:
          OSError: if the file can't be written.
          IndexError: if there is no such conversation.
        """
        if not 0 <= place < len(self._transcripts):
            raise IndexError(f"there are {len(self._transcripts)} conversations, got {place}")
        transcript = self._transcripts[place]
        if fault := _moods_fault(answer.moods):
            return fault
        reading = _reading(transcript, answer, self.reader)
        if fault := reading.fault():
            return fault
        with self._lock:
            self._file.append(reading)
            self._own[reading.key] = reading
        return None

    def agreement(self) -> Sequence[PairAgreement]:
        """Returns the agreement of all readers on these conversations; see `agreements`.

        Raises:
          InputError: if the file of labels can't be read.
        """
        sampled = {(transcript.conversation, transcript.started_at_us) for transcript in
                   self._transcripts}  # fmt: skip
        return agreements(reading for reading in self._file.read() if reading.key in sampled)

    def _reading_of(self, transcript: Transcript) -> Reading | None:
        own = self._own.get((transcript.conversation, transcript.started_at_us))
        if own is None or own.human_messages not in {None, transcript.human_messages}:
            return None
        return own


def _moods_fault(moods: Sequence[float]) -> str | None:
    if moods and (len(moods) != 2 * MOODS_PER_END or not set(moods) <= set(SENTIMENT_STEPS)):
        return (
            f"moods must be {2 * MOODS_PER_END} of {', '.join(f'{s:g}' for s in SENTIMENT_STEPS)}"
        )
    return None


def _reading(transcript: Transcript, answer: Answer, reader: str) -> Reading:
    start, end = answer.moods[:MOODS_PER_END], answer.moods[MOODS_PER_END:]
    return Reading(
        conversation=transcript.conversation,
        started_at_us=transcript.started_at_us,
        human_messages=transcript.human_messages,
        use=answer.use,
        types=answer.types,
        opening_type=answer.opening_type,
        closing_type=answer.closing_type,
        pushback_reasons=answer.pushback_reasons,
        mood_start=_mean(start),
        mood_end=_mean(end),
        moods=answer.moods,
        reader=reader,
        definitions=VERSION,
    )


def _mean(moods: Sequence[float]) -> float | None:
    return round(sum(moods) / len(moods), _DIGITS) if moods else None
