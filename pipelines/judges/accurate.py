"""The judge `accurate`: a classifier reads whole conversations, offline.

It is a second opinion where the fast classifier counts. Its own errors are measured as those of any
judge: `undertone judge --validate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pipelines.judges.interface import Transcript, Verdict
from pipelines.operations.classify import batches, states_of
from schemas.judged import JUDGED, JudgedLabels
from schemas.labels import AFFECTIVE_TYPES, NO_TYPE, PUSHBACK_REASONS, TYPES, USES, named, type_name
from schemas.records import ConversationSummary
from transforms.classifiers import Classifier
from transforms.classifiers.accurate.classifier import load_accurate
from transforms.conversation.state import ConversationState
from transforms.conversation.summary import judge, sentiment_ends

NAME: Final = "accurate"
_AFFECTIVE: Final = USES[0]
_LEISURE: Final = "leisure"
_CONVERSATIONS_A_BATCH: Final = 16
"""The encoder reads some hundred messages per second, so a batch takes about a second. A crash
loses at most that much."""


class ClassifierJudge:
    """Judges with a classifier, as counting does: it sees all messages, but each one alone.

    Args:
      classifier: the classifier.
    """

    name = NAME

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self.version = classifier.version

    def judge(self, transcripts: Iterable[Transcript]) -> Iterator[Verdict]:
        """Yields one verdict for each conversation, in order. Its labels are always valid.

        A conversation of more than `state.MAX_HUMAN` human messages is judged from a sample of
        them, as in counting.
        """
        for batch in batches(transcripts, _CONVERSATIONS_A_BATCH):
            turns = [[(turn.is_human, turn.text) for turn in each.turns] for each in batch]
            states = states_of(turns, self._classifier)
            summaries, _ = judge(states, self._classifier)
            for transcript, state, summary in zip(batch, states, summaries, strict=True):
                yield Verdict(
                    transcript.conversation,
                    transcript.started_at_us,
                    transcript.human_messages,
                    JUDGED,
                    _labels(state, summary),
                )


def load_accurate_judge() -> ClassifierJudge:
    """Loads the judge.

    Raises:
      InputError: if the sentence encoder is not installed.
    """
    return ClassifierJudge(load_accurate())


def _labels(state: ConversationState, summary: ConversationSummary) -> JudgedLabels:
    types = named(TYPES, summary.types)
    use = USES[summary.use]
    opening, closing = type_name(summary.opening_type), type_name(summary.closing_type)
    if use == _AFFECTIVE and not set(types) & set(AFFECTIVE_TYPES):
        # A romantic roleplay that is too short to count. By docs/metrics.md it is not affective.
        use, opening, closing = _LEISURE, NO_TYPE, NO_TYPE
    mood_start, mood_end = sentiment_ends(state)
    reasons = named(PUSHBACK_REASONS, summary.pushback_reasons)
    return JudgedLabels(
        use=use,
        types=types,
        opening_type=opening,
        closing_type=closing,
        pushback_reasons=reasons,
        mood_start=mood_start,
        mood_end=mood_end,
    )
