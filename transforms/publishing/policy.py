"""The policy: how published numbers are protected. Every publication states it in its receipt.

This module does not use Beam.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec

from transforms.counting.cells import Sums

MAX_MAX_NOISE: Final = 50


@dataclass(frozen=True)
class Policy:
    """How published numbers are protected.

    Attributes:
      min_users, min_conversations: the fewest users and conversations of a published cell.
        Anthropic's Economic Index publishes cells of at least 5 accounts and 15 conversations.
      variance: variance of the noise on a count; 0 for none.
      max_noise: the most that noise changes a count.
      max_values: the most values of a breakdown that a window publishes: those with the most users.
        The rest is added to `other`.
      publish_after: how long after its end a window is published.

    Raises:
      ValueError: if a value is out of range.
    """

    min_users: int = 15
    min_conversations: int = 15
    variance: float = 4.0
    max_noise: int = 5
    max_values: int = 200
    publish_after: timedelta = timedelta(hours=48)

    def __post_init__(self) -> None:
        for name in ("min_users", "min_conversations", "max_values"):
            value = getattr(self, name)
            if value < 1:
                default = Policy.__dataclass_fields__[name].default
                raise ValueError(
                    f"{name} must be at least 1, got {value}; the default is {default}"
                )
        if not 0 <= self.max_noise <= MAX_MAX_NOISE:
            raise ValueError(
                f"max_noise must be between 0 and {MAX_MAX_NOISE}, got {self.max_noise}; "
                "the default is 5"
            )
        # Noise from -D to D has at most the variance D * D; uniform noise has D (D + 1) / 3.
        largest = self.max_noise * (self.max_noise + 1) / 3
        if not 0 <= self.variance <= largest:
            raise ValueError(
                f"noise_variance must be between 0 and {largest:g} for max_noise {self.max_noise}, "
                f"got {self.variance:g}; the default is 4"
            )
        if self.publish_after < timedelta(0):
            raise ValueError(
                f"publish_after must not be negative, got {self.publish_after}; the default is 48h"
            )

    @property
    def is_exact(self) -> bool:
        """Whether every number is published as it is."""
        return self.variance == 0 and self.min_users == 1 and self.min_conversations == 1

    def allows(self, sums: Sums) -> bool:
        """Tells whether a cell with these true sums may be published."""
        if self.is_exact:  # Conversations without a user count too.
            return sums.conversations > 0
        return sums.users >= self.min_users and sums.conversations >= self.min_conversations

    def encode(self) -> str:
        """Returns the policy as JSON."""
        return msgspec.json.encode(
            {
                "min_users": self.min_users,
                "min_conversations": self.min_conversations,
                "noise_variance": self.variance,
                "max_noise": self.max_noise,
                "max_values": self.max_values,
                "publish_after_s": int(self.publish_after.total_seconds()),
            }
        ).decode()

    @classmethod
    def decode(cls, text: str) -> Policy:
        """Reads what `encode` wrote."""
        fields = msgspec.json.decode(text)
        after = timedelta(seconds=fields.pop("publish_after_s"))
        return cls(variance=fields.pop("noise_variance"), publish_after=after, **fields)


OWN_DATA: Final = Policy(1, 1, variance=0.0, max_noise=0, publish_after=timedelta(0))
"""For conversations that are all the operator's own: every number is exact."""
