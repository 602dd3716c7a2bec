"""The judge `labels`: takes the labels that people gave, from a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from pipelines.judges.definitions import VERSION
from pipelines.judges.interface import Transcript, Verdict
from pipelines.labelling.formats import read_labels
from pipelines.labelling.reading import Key, Reading, latest, settled
from schemas.judged import INVALID, JUDGED, fault_of
from transforms.conversation.pseudonyms import Pseudonyms
from transforms.counting.contribution import rank_of
from transforms.judging.identity import sample_id

_UNKNOWN_DEFINITIONS: Final = "unknown"
_UNKNOWN_START_US: Final = 0


class LabelsJudge:
    """Judges conversations by the labels of one or several readers; implements `Judge`.

    A label names its conversation by the hash in the sample, or by the id in the events.

    A conversation without labels gets no verdict, so it can be judged once it has some. So does
    one that has grown since it was read. Labels without a start go with any conversation of that
    id.

    Of several readings of a conversation, each reader's last one counts. If the readers disagree,
    the last final reading holds (Label Studio: ground truth); without one, the first reader's.

    Roleplay in a conversation of fewer than four human messages is invalid.
    """

    name = "labels"

    def __init__(self, path: Path, pseudonyms: Pseudonyms) -> None:
        """Reads a file of labels; `labelling.formats` says of which kinds.

        Args:
          path: the file.
          pseudonyms: the secret that the sample was counted with.

        Raises:
          InputError: if the file can't be read, or a label is not valid. It quotes no text.
        """
        by_key: dict[Key, list[Reading]] = {}
        for (key, _), reading in latest(read_labels(path)).items():
            by_key.setdefault(key, []).append(reading)
        self._readings = {key: settled(readings) for key, readings in by_key.items()}
        for (name, start_us), reading in list(self._readings.items()):
            hashed = sample_id(rank_of(pseudonyms.conversation(name))).hex()
            self._readings.setdefault((hashed, start_us), reading)

    @property
    def version(self) -> str:
        """Version of the definitions that the readers saw; several are joined by `+`."""
        seen = {reading.definitions or _UNKNOWN_DEFINITIONS for reading in self._readings.values()}
        return "+".join(sorted(seen)) or VERSION

    def judge(self, transcripts: Iterable[Transcript]) -> Iterator[Verdict]:
        """Yields a verdict for each conversation that has labels; costs nothing."""
        for transcript in transcripts:
            reading = self._reading_of(transcript)
            if reading is not None:
                yield _verdict(transcript, reading)

    def _reading_of(self, transcript: Transcript) -> Reading | None:
        reading = self._readings.get(
            (transcript.conversation, transcript.started_at_us)
        ) or self._readings.get((transcript.conversation, _UNKNOWN_START_US))
        if reading is None or reading.human_messages not in {None, transcript.human_messages}:
            return None
        return reading


def _verdict(transcript: Transcript, reading: Reading) -> Verdict:
    seen = transcript.human_messages
    labels = reading.labels
    is_valid = fault_of(labels, seen) is None
    return Verdict(
        conversation=transcript.conversation,
        started_at_us=transcript.started_at_us,
        human_messages=seen,
        status=JUDGED if is_valid else INVALID,
        labels=labels if is_valid else None,
    )
