"""Plans the topic, length, change of mood and pushback of each thread.

The shares in this module are guesses. Together they resemble the results that the study states in
its text (docs/metrics.md). The study shows its figures by type only in charts, so those figures are
not copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Final, NamedTuple

from pipelines.simulator.chance import Mix
from pipelines.simulator.people import MODELS, Speaker
from pipelines.simulator.records import PlannedMessage
from pipelines.simulator.scenes import (
    CLOSING,
    MIDDLE,
    OPENING,
    Scenes,
    assistant_code,
    human_code,
)
from schemas.breakdowns import ATTRIBUTES
from schemas.labels import AFFECTIVE_TYPES

SECOND_US: Final = 1_000_000
MAX_HUMAN_MESSAGES: Final = 200

_AFFECTIVE: Final = Mix(
    {"interpersonal_advice": 39, "coaching": 28, "counseling": 23, "companionship": 8.4,
     "romantic_roleplay": 1.6}
)  # fmt: skip
_OTHERWISE: Final = Mix(
    {"technical": 27, "content_creation": 18, "work": 16, "information": 15, "learning": 14,
     "leisure": 5, "other": 4.9, "roleplay": 0.1}
)  # fmt: skip

_DRIFTS: Final = 0.18
"""Share of the affective conversations that open or close as something else."""
_DRIFTS_OTHERWISE: Final = 0.05
_COMES_FROM: Final[Mapping[str, Mix[str]]] = {
    "interpersonal_advice": Mix({"work": 4, "counseling": 3, "technical": 1, "other": 2}),
    "coaching": Mix({"work": 5, "technical": 3, "learning": 3, "interpersonal_advice": 2}),
    "counseling": Mix({"coaching": 5, "interpersonal_advice": 4, "information": 3, "work": 2}),
    "companionship": Mix({"coaching": 3, "counseling": 4, "leisure": 3, "other": 2}),
    "romantic_roleplay": Mix({"roleplay": 4, "companionship": 3, "content_creation": 3}),
}

_LENGTH: Final = {True: (1.5, 1.05), False: (0.95, 0.9)}
"""Log-normal mean and deviation of the number of human messages. The median is 4.5 if the
conversation is affective, otherwise 2.6."""
_LENGTH_OF: Final = {
    "companionship": (2.1, 1.1),
    "romantic_roleplay": (2.3, 1.0),
    "roleplay": (2.0, 1.0),
}
_BOUNDARY_EVERY: Final = 2_000
_BOUNDARIES: Final = {499: 49, 999: 50, 1499: 51, 1999: 0}
"""Threads of each round whose length is set close to a limit in a definition. If the length is 0,
only the assistant speaks."""

_MOOD: Final = {
    True: Mix({-2: 15, -1: 40, 0: 35, 1: 8, 2: 2}),
    False: Mix({-1: 10, 0: 80, 1: 9, 2: 1}),
}
_RISE: Final = {True: Mix({-1: 12, 0: 48, 1: 28, 2: 12}), False: Mix({-1: 8, 0: 80, 1: 12})}
"""Change of the mood over the conversation, in half points."""
_NOISE: Final = Mix({-1: 12, 0: 76, 1: 12})

_PUSHES_BACK: Final = {True: 0.08, False: 0.02}
_REASONS: Final = {
    True: Mix(
        {"self_harm": 10, "dangerous_health": 14, "professional_limits": 30, "sexual": 6,
         "harm_or_illegal": 6, "ai_identity": 14, "challenged_belief": 16, "policy_other": 4}
    ),
    False: Mix({"harm_or_illegal": 50, "policy_other": 30, "sexual": 15, "challenged_belief": 5}),
}  # fmt: skip

_UNANSWERED: Final = 0.02
_RESUMED: Final = 0.03
_PAUSES: Final = 0.02
_SILENT_START: Final = 0.03
"""Share of the threads whose first message states neither user nor attributes."""
_CHANGES_MODEL: Final = 0.02
_MODEL: Final = ATTRIBUTES.index("model")


class Arc(NamedTuple):
    """The kinds of a conversation: the opening kind until message `turn`, then the closing kind."""

    opening: str
    closing: str
    human_messages: int
    turn: int

    def kind(self, position: int) -> str:
        """Returns the kind of the human message at this position."""
        return self.opening if position < self.turn else self.closing


class Planner:
    """Plans threads one after the other, with one random generator."""

    def __init__(
        self,
        random: Random,
        scenes: Scenes,
        *,
        share_affective: float,
        session_gap_us: int,
        labelled_text: bool,
    ) -> None:
        self._random = random
        self._scenes = scenes
        self._share_affective = share_affective
        self._gap_us = session_gap_us
        self._labelled_text = labelled_text

    def plan_thread(self, number: int, opens_at_us: int, speaker: Speaker) -> list[PlannedMessage]:
        """Returns a thread's messages in time order: one conversation, or sometimes two."""
        random = self._random
        messages = list(self._converse(number, opens_at_us, speaker))
        if random.random() < _RESUMED:
            silence_us = self._gap_us + 1
            if random.random() < 0.9:
                silence_us += int(random.random() * 2 * self._gap_us)
            resumes_at_us = messages[-1].sent_at_us + silence_us
            messages += self._converse(number + 1, resumes_at_us, speaker)
        if random.random() < _SILENT_START:
            messages[0] = messages[0]._replace(user=None, attributes=(None,) * len(ATTRIBUTES))
        if random.random() < _CHANGES_MODEL:
            self._change_model(messages)
        return messages

    def _converse(
        self, number: int, opens_at_us: int, speaker: Speaker
    ) -> Iterator[PlannedMessage]:
        random = self._random
        arc = self._draw_arc(number)
        total = arc.human_messages
        reasons = self._draw_pushback(arc)
        mood = _MOOD[arc.closing in AFFECTIVE_TYPES].pick(random)
        rise = _RISE[arc.closing in AFFECTIVE_TYPES].pick(random)
        at_us = opens_at_us
        variant = number * 40_503
        for position in range(total):
            kind = arc.kind(position)
            stage = CLOSING if 1 < position == total - 1 else MIDDLE if position else OPENING
            wanted = mood + rise * position / max(total - 1, 1) + _NOISE.pick(random)
            yield self._human(at_us, kind, stage, wanted, variant + position, speaker)
            at_us += 2 * SECOND_US + int(random.random() * 23 * SECOND_US)
            if position < total - 1 or random.random() >= _UNANSWERED:
                reason = reasons.get(position)
                yield self._assistant(at_us, kind, reason, variant + position, speaker)
            at_us += self._draw_pause_us()
        if not total:
            yield self._assistant(at_us, arc.opening, None, variant, speaker)

    def _draw_arc(self, number: int) -> Arc:
        random = self._random
        is_affective = random.random() < self._share_affective
        closing = (_AFFECTIVE if is_affective else _OTHERWISE).pick(random)
        human_messages = _BOUNDARIES.get(number % _BOUNDARY_EVERY)
        if human_messages is None:
            mean, deviation = _LENGTH_OF.get(closing, _LENGTH[is_affective])
            length = round(random.lognormvariate(mean, deviation))
            human_messages = min(max(length, 1), MAX_HUMAN_MESSAGES)
        if human_messages < 2 or random.random() >= (
            _DRIFTS if is_affective else _DRIFTS_OTHERWISE
        ):
            return Arc(closing, closing, human_messages, turn=0)
        opening = (_COMES_FROM[closing] if is_affective else _OTHERWISE).pick(random)
        turn = 1 + int(random.random() * (human_messages - 1))
        if is_affective and random.random() < 0.2:
            # Some conversations drift the other way: they open as affective and close as a
            # different kind.
            opening, closing = closing, opening
        return Arc(opening, closing, human_messages, turn)

    def _draw_pushback(self, arc: Arc) -> dict[int, str]:
        """Maps the positions of human messages that get pushback to the reasons for it."""
        random = self._random
        is_affective = arc.closing in AFFECTIVE_TYPES
        if random.random() >= _PUSHES_BACK[is_affective]:
            return {}
        times = 2 if random.random() < 0.25 else 1
        return {
            int(random.random() * arc.human_messages): _REASONS[is_affective].pick(random)
            for _ in range(times)
        }

    def _draw_pause_us(self) -> int:
        """Returns how long the human is silent, which is too short to end the conversation."""
        random = self._random
        if random.random() < _PAUSES:
            if random.random() < 0.02:
                return self._gap_us  # The longest silence that does not end a conversation.
            return int((0.04 + 0.9 * random.random()) * self._gap_us)
        return min(int(random.lognormvariate(4.2, 0.9) * SECOND_US), self._gap_us // 2)

    def _human(
        self, at_us: int, kind: str, stage: str, wanted: float, variant: int, speaker: Speaker
    ) -> PlannedMessage:
        step = max(-2, min(2, round(wanted)))
        half_points = self._scenes.half_points(speaker.language, kind, stage, step)
        if self._labelled_text:
            text = human_code(kind, half_points)
        else:
            text = self._scenes.human(speaker.language, kind, stage, half_points, variant)
        return PlannedMessage(
            at_us, True, kind, half_points, None,
            speaker.user, speaker.attributes, speaker.language, text,
        )  # fmt: skip

    def _assistant(
        self, at_us: int, kind: str, reason: str | None, variant: int, speaker: Speaker
    ) -> PlannedMessage:
        if self._labelled_text:
            text = assistant_code(reason)
        else:
            text = self._scenes.assistant(speaker.language, kind, reason, variant)
        return PlannedMessage(
            at_us, False, kind, 0, reason,
            speaker.user, speaker.attributes, speaker.language, text,
        )  # fmt: skip

    def _change_model(self, messages: list[PlannedMessage]) -> None:
        """Draws the model for the second half of a thread, which may be that of the first half."""
        model = MODELS.pick(self._random)
        for position in range(len(messages) // 2 + 1, len(messages)):
            attributes = list(messages[position].attributes)
            attributes[_MODEL] = model
            messages[position] = messages[position]._replace(attributes=tuple(attributes))
