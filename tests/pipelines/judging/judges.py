"""Judges for tests: they say the same of every conversation, and can be stopped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipelines.judges.interface import Transcript, Verdict
from schemas.failures import InputError
from schemas.judged import JUDGED, REFUSED, JudgedLabels

OTHER = JudgedLabels(use="other")


class SimpleJudge:
    """Says `other` of every conversation, or refuses.

    Args:
      refuses: conversations that it refuses to judge.
      skips: conversations without a verdict.
      most: it can't go on after so many.
      version: its version.
      labels: what it says.
    """

    name = "simple"

    def __init__(
        self,
        refuses: Iterable[str] = (),
        skips: Iterable[str] = (),
        most: int = 1_000_000,
        version: str = "1",
        labels: JudgedLabels = OTHER,
    ) -> None:
        self.version = version
        self.asked: list[str] = []
        self._refuses = set(refuses)
        self._skips = set(skips)
        self._most = most
        self._labels = labels

    def judge(self, transcripts: Iterable[Transcript]) -> Iterator[Verdict]:
        """Yields a verdict for each conversation.

        Raises:
          InputError: after `most` verdicts.
        """
        for transcript in transcripts:
            if len(self.asked) == self._most:
                raise InputError("the money is spent")
            self.asked.append(transcript.conversation)
            if transcript.conversation in self._skips:
                continue
            status = REFUSED if transcript.conversation in self._refuses else JUDGED
            yield Verdict(
                transcript.conversation,
                transcript.started_at_us,
                transcript.human_messages,
                status,
                self.labels_of(transcript.conversation) if status == JUDGED else None,
                cost=0.5,
            )

    def labels_of(self, conversation: str) -> JudgedLabels:
        """Returns what the judge says of a conversation."""
        del conversation
        return self._labels
