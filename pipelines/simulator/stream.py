"""Generates the events of a simulation, in the order in which they are published."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final

from pipelines.simulator.faults import damage
from pipelines.simulator.people import People
from pipelines.simulator.plans import SECOND_US, Planner
from pipelines.simulator.records import PlannedMessage
from pipelines.simulator.scenes import MIDDLE, Scenes, human_code, load_scenes
from pipelines.simulator.settings import SimulationSettings
from pipelines.simulator.truth import Truth
from schemas.breakdowns import ATTRIBUTES
from schemas.wire.validate import SCHEMA_VERSION

Event = dict[str, Any]

_HOUR_US: Final = 3_600_000_000
_QUIETEST_HOUR: Final = 9
"""The quietest hour in UTC, given that most users are in the Americas and Europe."""
_WEEKEND: Final = 0.8
"""Activity on a Saturday or Sunday, as a fraction of a weekday's."""
_HAS_SYSTEM_TURN: Final = 0.05
_INTRUDER: Final = "companionship"
"""Kind of the late messages. It is rare, so late messages are noticed if they are counted."""


def simulate(settings: SimulationSettings, truth: Truth | None = None) -> Iterator[Event]:
    """Yields events, as dicts of the archive's fields, in the order of `published_at_us`.

    Only events that have yet to be published are kept in memory.

    Args:
      settings: the settings of the simulation.
      truth: the expected counts, updated during the iteration and complete after the last event.
    """
    random = Random(settings.seed)
    scenes = load_scenes()
    people = People(settings.conversations, settings.share_chinese, settings.seed)
    planner = Planner(
        random,
        scenes,
        share_affective=settings.share_affective,
        session_gap_us=settings.session_gap_us,
        labelled_text=settings.labelled_text,
    )
    post = _Post(settings, random, scenes, truth)
    number = 0
    for hour_us, conversations in _hours(settings):
        for opens_at_us in sorted(_instants(random, hour_us, conversations)):
            post.take(number, planner.plan_thread(number, opens_at_us, people.draw(random)))
            number += 1
        yield from post.publish_before(hour_us + _HOUR_US)
        if truth is not None:
            truth.close_before(hour_us + _HOUR_US)
    yield from post.publish_rest()


def _hours(settings: SimulationSettings) -> Iterator[tuple[int, int]]:
    """Yields the start of each hour and the number of threads that open in it."""
    starts = [settings.start_us + hour * _HOUR_US for hour in range(settings.days * 24)]
    weights = [_activity(start_us) for start_us in starts]
    total, so_far, given = sum(weights), 0.0, 0
    for start_us, weight in zip(starts, weights, strict=True):
        so_far += weight
        due = round(settings.conversations * so_far / total)
        yield start_us, due - given
        given = due


def _activity(at_us: int) -> float:
    """Returns the activity in an hour.

    Activity rises and falls over the day, and is lower at weekends than on weekdays.
    """
    day, hour = divmod(at_us // _HOUR_US, 24)
    wave = 1 - 0.75 * math.cos((hour - _QUIETEST_HOUR) / 24 * math.tau)
    is_weekend = (day + 3) % 7 >= 5  # Day 0 of the epoch was a Thursday.
    return wave * (_WEEKEND if is_weekend else 1.0)


def _instants(random: Random, hour_us: int, count: int) -> list[int]:
    return [hour_us + int(random.random() * _HOUR_US) for _ in range(count)]


class _Post:
    """Turns planned messages into events, and yields the events in the order of publishing."""

    def __init__(
        self, settings: SimulationSettings, random: Random, scenes: Scenes, truth: Truth | None
    ) -> None:
        self._settings = settings
        self._random = random
        self._scenes = scenes
        self._truth = truth
        self._lateness_us = settings.allowed_lateness_us
        self._waiting: dict[int, list[tuple[int, int, Event]]] = {}
        self._posted = 0

    def take(self, number: int, thread: Sequence[PlannedMessage]) -> None:
        """Posts the messages of a thread.

        Also posts any duplicate, late or damaged events that are made from them.
        """
        settings, random = self._settings, self._random
        thread_id = f"c{settings.seed}-{number:07}"
        if self._truth is not None:
            self._truth.add_thread(thread_id, thread, tells_language=not settings.labelled_text)
        if random.random() < _HAS_SYSTEM_TURN:
            self._post_system_turn(thread_id, thread[0])
        for index, message in enumerate(thread):
            event = _event(thread_id, f"{thread_id}-{index}", index, message)
            event["published_at_us"] = message.sent_at_us + self._draw_lag_us()
            self._post(event, "counted")
            if random.random() < settings.duplicates:
                self._post(self._repeat(event), "duplicate")
            if random.random() < settings.late:
                self._post(self._intrude(event, message), "late")
            if random.random() < settings.malformed:
                damaged, reason = damage(event, f"{thread_id}-{index}x", random)
                self._post(damaged, "dead_letter", reason)

    def publish_before(self, end_us: int) -> Iterator[Event]:
        """Yields the events published before `end_us`. All earlier threads must have been taken."""
        end = end_us // _HOUR_US
        for hour in sorted(hour for hour in self._waiting if hour < end):
            # The second field, a counter, keeps events with equal times in the order of posting.
            for _, _, event in sorted(self._waiting.pop(hour)):
                yield event

    def publish_rest(self) -> Iterator[Event]:
        """Yields all remaining events."""
        if self._waiting:
            yield from self.publish_before((max(self._waiting) + 1) * _HOUR_US)

    def _post(self, event: Event, account: str, reason: str = "") -> None:
        published_at_us: int = event["published_at_us"]
        self._posted += 1
        hour = self._waiting.setdefault(published_at_us // _HOUR_US, [])
        hour.append((published_at_us, self._posted, event))
        if self._truth is not None:
            self._truth.record(account, reason)

    def _post_system_turn(self, thread_id: str, first: PlannedMessage) -> None:
        event = _event(thread_id, f"{thread_id}-s", None, first)
        # Sent 0.1 s before the first message, to test that it does not start a conversation.
        event |= {"role": "SYSTEM", "text": "", "sent_at_us": first.sent_at_us - 100_000}
        event["published_at_us"] = first.sent_at_us + self._draw_lag_us() // 2
        self._post(event, "system_turn")

    def _draw_lag_us(self) -> int:
        """Returns the delay from sending to publishing. A few events get the maximum delay."""
        random = self._random
        luck = random.random()
        if luck < 0.97:
            return 20_000 + int(random.random() * 2 * SECOND_US)
        if luck < 0.999:
            return int(random.random() * 60 * SECOND_US)
        return self._lateness_us if luck > 0.9998 else int(random.random() * self._lateness_us)

    def _repeat(self, event: Event) -> Event:
        """Returns a copy of the event that is published again, within the allowed lateness."""
        published_at_us: int = event["published_at_us"]
        span_us = event["sent_at_us"] + self._lateness_us - published_at_us
        if self._random.random() < 0.8:
            span_us = min(span_us, 10 * 60 * SECOND_US)
        again_at_us = published_at_us + int(self._random.random() * span_us)
        return {**event, "published_at_us": again_at_us}

    def _intrude(self, event: Event, message: PlannedMessage) -> Event:
        """Returns an extra message of the conversation that is published too late to be counted."""
        half_points = self._scenes.half_points(message.language, _INTRUDER, MIDDLE, 2)
        if self._settings.labelled_text:
            text = human_code(_INTRUDER, half_points)
        else:
            text = self._scenes.human(message.language, _INTRUDER, MIDDLE, half_points, 0)
        sent_at_us = message.sent_at_us + SECOND_US
        too_late_us = int(self._random.random() * 6 * _HOUR_US)
        if self._random.random() < 0.1:
            too_late_us = 0
        return {
            **event,
            "event_id": f"{event['event_id']}l",
            "role": "HUMAN",
            "text": text,
            "sent_at_us": sent_at_us,
            "published_at_us": sent_at_us + self._lateness_us + 1 + too_late_us,
        }


def _event(thread_id: str, event_id: str, index: int | None, message: PlannedMessage) -> Event:
    return {
        "event_id": event_id,
        "conversation_id": thread_id,
        "user_id": message.user,
        "role": "HUMAN" if message.is_human else "ASSISTANT",
        "text": message.text,
        "sent_at_us": message.sent_at_us,
        **dict(zip(ATTRIBUTES, message.attributes, strict=True)),
        "message_index": index,
        "schema_version": SCHEMA_VERSION,
        "published_at_us": None,
    }
