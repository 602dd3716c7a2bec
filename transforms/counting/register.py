"""The register of a day: which places a stream has counted, and which of their rows are valid.

A stream keeps the totals of each place under a key of its own, so that the load spreads. After a
crash, the runner rolls all state back and replays the input. Rows of the lost attempt stay in the
table, and the replay may not touch the same places again. So each row names a *snapshot* of its
day, and only the rows of the day's largest snapshot are valid. The worker remembers the last
revision of each day. If the day's restored state is older than that, a new snapshot begins. The
same happens if the state is older than the worker itself. All registered places are then written
again.

This module does not use Beam.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import msgspec

from transforms.counting.totals import PlaceKey

_VERSION = 1


class Stamp(NamedTuple):
    """The part of a row's version that all places of a day share.

    Attributes:
      generation: start of the job that began to count the day, microseconds since the epoch.
      snapshot: when the day's snapshot began, microseconds since the epoch.
    """

    generation: int
    snapshot: int


NO_STAMP = Stamp(0, 0)


@dataclass(frozen=True)
class DayRegister:
    """The register of one day.

    Attributes:
      stamp: the day's generation and current snapshot.
      revision: when the register last changed, microseconds since the epoch.
      places: the places that were counted.
      is_closed: whether the day takes no more changes.
    """

    stamp: Stamp = NO_STAMP
    revision: int = 0
    places: frozenset[PlaceKey] = field(default_factory=frozenset)
    is_closed: bool = False

    def touch(
        self, place: PlaceKey, now_us: int, known_us: int, generation: int
    ) -> tuple[DayRegister, frozenset[PlaceKey]]:
        """Registers a change of a place.

        Args:
          place: the place that changes.
          now_us: the current time.
          known_us: when the worker last changed the day's register; if it never did, when the
            worker started.
          generation: start of the job, used if the day has no generation yet.

        Returns:
          The new register, and the other places that must be written again.
        """
        is_new = self.revision < known_us
        # Revisions must increase even if the clock stands still or goes back.
        revision = max(now_us, self.revision + 1, known_us + 1)
        stamp = Stamp(self.stamp.generation or generation, self.stamp.snapshot)
        if is_new:
            stamp = stamp._replace(snapshot=revision)
        again = self.places - {place} if is_new else frozenset()
        places = self.places if place in self.places else self.places | {place}
        return replace(self, stamp=stamp, revision=revision, places=places), again

    def encode(self) -> bytes:
        """Returns the canonical bytes."""
        return _encode((_VERSION, *self.stamp, self.revision, sorted(self.places), self.is_closed))

    @classmethod
    def decode(cls, encoded: bytes) -> DayRegister:
        """Reads what `encode` wrote.

        Raises:
          ValueError: if the bytes have another layout.
        """
        version, generation, snapshot, revision, places, is_closed = _decode(encoded)
        if version != _VERSION:
            raise ValueError(
                f"the register of a day has layout version {version}, but this version of "
                f"Undertone reads only {_VERSION}; start a new job and backfill"
            )
        return cls(Stamp(generation, snapshot), revision, frozenset(places), is_closed)


CLOSED = DayRegister(is_closed=True)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(
    tuple[int, int, int, int, list[tuple[str, int, int, int, str]], bool]
).decode
