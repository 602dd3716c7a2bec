"""The running totals of one place, which a stream keeps in state.

This module does not use Beam.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from transforms.counting.candidates import Candidates
from transforms.counting.places import Cells, add_cells
from transforms.counting.register import NO_STAMP, Stamp
from transforms.counting.totals import PlaceChange

_VERSION = 2


@dataclass(frozen=True)
class RunningPlace:
    """The totals of one place.

    Attributes:
      stamp: the generation and the snapshot that the totals were last written with.
      revision: when they last changed, microseconds since the epoch.
      cells: the sums.
      candidates: the candidates for judging; only the place of all conversations of an hour has
        any.
    """

    stamp: Stamp = NO_STAMP
    revision: int = 0
    cells: Cells = field(default_factory=dict)
    candidates: Candidates = field(default_factory=Candidates)

    def add(
        self, stamp: Stamp, change: PlaceChange, now_us: int, most_candidates: int
    ) -> RunningPlace:
        """Returns the totals after a change. A change without cells only renews the stamp.

        Args:
          stamp: the generation and the snapshot.
          change: the change.
          now_us: the current time.
          most_candidates: how many candidates to keep.
        """
        return RunningPlace(
            max(self.stamp, stamp),
            max(now_us, self.revision + 1),
            add_cells(dict(self.cells), change.cells),
            self.candidates.copy().add_all(change.candidates).keep(most_candidates),
        )

    def encode(self) -> bytes:
        """Returns the canonical bytes."""
        totals = PlaceChange(self.cells, candidates=self.candidates).encode()
        return _encode((_VERSION, *self.stamp, self.revision, totals))

    @classmethod
    def decode(cls, encoded: bytes) -> RunningPlace:
        """Reads what `encode` wrote.

        Raises:
          ValueError: if the bytes have another layout, or name an unknown facet or value.
        """
        version, generation, snapshot, revision, stored = _decode(encoded)
        if version != _VERSION:
            raise ValueError(
                f"the totals of a place have layout version {version}, but this version of "
                f"Undertone reads only {_VERSION}; start a new job and backfill"
            )
        totals = PlaceChange.decode(stored)
        return cls(Stamp(generation, snapshot), revision, totals.cells, totals.candidates)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, int, int, int, bytes]).decode
