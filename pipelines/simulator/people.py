"""Draws the users of a simulation, and the attributes that their events state."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import Final, NamedTuple

from pipelines.simulator.chance import Mix
from schemas.breakdowns import ATTRIBUTES

USERS_PER_CONVERSATION: Final = 0.8
"""Size of the pool from which users are drawn, per conversation. Some users are never drawn."""

_HIDDEN_USER: Final = 0.03
_HIDDEN_ATTRIBUTE: Final = 0.04
_HIDDEN_LANGUAGE: Final = 0.5
"""Share of the conversations that do not state the language, because few clients know it."""

_PLATFORMS: Final = Mix({"web": 52, "ios": 22, "android": 18, "desktop": 6, "api": 2})
_PLANS: Final = Mix({"free": 71, "pro": 22, "team": 5, "enterprise": 2})
MODELS: Final = Mix({"model-3-small": 25, "model-4": 60, "model-4-large": 15})
_COUNTRIES: Final = {
    "en": Mix(
        {"US": 42, "GB": 12, "IN": 14, "CA": 8, "AU": 6, "DE": 5, "NG": 3, "PH": 3, "IE": 2,
         "ZA": 2, "SG": 2, "NZ": 1}
    ),
    "zh": Mix({"CN": 45, "TW": 25, "SG": 10, "HK": 8, "US": 6, "MY": 4, "CA": 2}),
}  # fmt: skip
_LANGUAGE_TAGS: Final = {
    "en": Mix({"en": 70, "en-US": 20, "en-GB": 10}),
    "zh": Mix({"zh": 60, "zh-CN": 25, "zh-TW": 15}),
}


class Speaker(NamedTuple):
    """The user of a conversation, as described in its events.

    Attributes:
      user: pseudonymous id; None if the events do not name the user.
      language: language of the texts, `en` or `zh`.
      attributes: values of `breakdowns.ATTRIBUTES`; None for each that the events do not state.
    """

    user: str | None
    language: str
    attributes: tuple[str | None, ...]


class People:
    """The users of a simulation."""

    def __init__(self, conversations: int, share_chinese: float, seed: int) -> None:
        self._pool = max(1, int(conversations * USERS_PER_CONVERSATION))
        self._share_chinese = share_chinese
        self._seed = seed
        # A user always has the same country, language and plan. The cache is large enough for busy
        # users, who return soon; most other users are drawn once.
        self._traits = lru_cache(maxsize=65_536)(self._draw_traits)

    def draw(self, random: Random) -> Speaker:
        """Draws the user of a conversation.

        Most users get one or two conversations, and a few get very many.
        """
        number = int(self._pool * random.random() ** 2)
        language, country, plan = self._traits(number)
        tag = None
        if random.random() >= _HIDDEN_LANGUAGE:
            tag = _LANGUAGE_TAGS[language].pick(random)
        said = {
            "platform": _PLATFORMS.pick(random), "country": country, "language": tag,
            "plan": plan, "model": MODELS.pick(random),
        }  # fmt: skip
        attributes = tuple(map(said.get, ATTRIBUTES))
        if random.random() < _HIDDEN_ATTRIBUTE * len(attributes):
            index = int(random.random() * len(attributes))
            attributes = (*attributes[:index], None, *attributes[index + 1 :])
        user = None if random.random() < _HIDDEN_USER else f"u{self._seed}-{number:07}"
        return Speaker(user, language, attributes)

    def _draw_traits(self, number: int) -> tuple[str, str, str]:
        random = Random(self._seed * 1_000_003 + number)
        language = "zh" if random.random() < self._share_chinese else "en"
        return language, _COUNTRIES[language].pick(random), _PLANS.pick(random)
