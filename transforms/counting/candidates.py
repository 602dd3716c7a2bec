"""The conversations that may be sampled for judging, as a value that adds up like the counts.

Each conversation has a *priority*: a random number made from its hash, divided by its weight. The
conversations with the smallest priorities are the sample (Duffield, Lund and Thorup 2007). So the
sample depends only on which conversations there are, not on their order or on the run. Only the
candidates are kept: enough conversations of each hour that a day's sample is among them.

`Candidates` is a sum, so a conversation that has changed or does not count any more is subtracted.
When there are more than a given number, those of the largest priorities are dropped, and `edge`
is the smallest priority that was dropped. From then on, nothing at or above the edge is kept.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec

from transforms.conversation.layout import STATED_IDS, check_layout
from transforms.counting.profile import Profile
from transforms.judging.allocation import weight
from transforms.judging.identity import priority_of, sample_id

_VERSION: Final = 1


class Candidate(NamedTuple):
    """One conversation that may be sampled.

    Attributes:
      priority: see `judging.identity.priority_of`.
      id: its hash; see `judging.identity`.
      day_us: start of its day, microseconds since the epoch.
      profile: what the classifier decided, and the values of the breakdowns.
    """

    priority: int
    id: bytes
    day_us: int
    profile: Profile

    @property
    def started_at_us(self) -> int:
        """When the conversation began, microseconds since the epoch."""
        return self.day_us + self.profile.start_us

    @property
    def weight(self) -> int:
        """The weight that its priority was made with."""
        return _weight(self.profile)


def candidate_of(rank: bytes, day_us: int, profile: Profile) -> Candidate:
    """Returns a conversation as a candidate.

    Args:
      rank: the conversation's rank; see `contribution.rank_of`.
      day_us: start of the day on which it began.
      profile: its profile.
    """
    return _candidate(sample_id(rank), day_us, profile)


def _candidate(identity: bytes, day_us: int, profile: Profile) -> Candidate:
    return Candidate(priority_of(identity, _weight(profile)), identity, day_us, profile)


def _weight(profile: Profile) -> int:
    traits = profile.traits
    return weight(profile.gate_logit, traits.types, bool(traits.pushback_reasons))


@dataclass(slots=True)
class Candidates:
    """The candidates of one hour, or a change to them.

    Attributes:
      times: how often each one was added minus how often it was taken back; never 0.
      edge: only priorities below it are kept; None if all are.
    """

    times: dict[Candidate, int] = field(default_factory=dict)
    edge: int | None = None

    def add(self, candidate: Candidate, times: int = 1) -> None:
        """Adds a candidate, or takes it back if `times` is negative."""
        if self.edge is not None and candidate.priority >= self.edge:
            return
        total = self.times.get(candidate, 0) + times
        if total:
            self.times[candidate] = total
        else:
            self.times.pop(candidate, None)

    def add_all(self, other: Candidates) -> Candidates:
        """Adds other candidates of the same hour to this object, and returns it."""
        if other.edge is not None:
            self._drop_from(other.edge)
        for candidate, times in other.times.items():
            self.add(candidate, times)
        return self

    def keep(self, most: int) -> Candidates:
        """Drops the largest priorities if there are more than `most`, and returns the object."""
        if len(self.times) > most:
            self._drop_from(sorted(self.times, key=itemgetter(0))[most].priority)
        return self

    def keep_about(self, most: int) -> None:
        """Does what `keep` does, but waits for twice as many, so that adding stays cheap."""
        if len(self.times) > 2 * most:
            self.keep(most)

    def _drop_from(self, edge: int) -> None:
        if self.edge is None or edge < self.edge:
            self.edge = edge
            self.times = {c: n for c, n in self.times.items() if c.priority < edge}

    def copy(self) -> Candidates:
        """Returns a copy."""
        return Candidates(dict(self.times), self.edge)

    def present(self) -> list[Candidate]:
        """Returns the candidates that are there, in the order of priority."""
        return sorted(candidate for candidate, times in self.times.items() if times > 0)

    def text(self) -> str:
        """Returns the present candidates as JSON; equal candidates give equal text."""
        rows = [(c.id.hex(), c.day_us, c.profile) for c in self.present()]
        return _encode_json((_VERSION, STATED_IDS, rows)).decode()

    def __bool__(self) -> bool:
        return bool(self.times) or self.edge is not None


def candidates_of_text(text: str) -> list[Candidate]:
    """Reads what `Candidates.text` wrote.

    Raises:
      ValueError: if the text has another layout or other breakdowns.
    """
    version, ids, rows = _decode_json(text)
    check_layout("the table candidates", version, _VERSION, ids)
    return [_candidate(bytes.fromhex(name), day_us, profile) for name, day_us, profile in rows]


def encoded(candidates: Candidates) -> tuple[int | None, list[tuple[bytes, int, Profile, int]]]:
    """Returns the candidates in a canonical form that can be encoded as MessagePack."""
    rows = sorted((c.id, c.day_us, c.profile, times) for c, times in candidates.times.items())
    return candidates.edge, rows


def decoded(edge: int | None, rows: Iterable[tuple[bytes, int, Profile, int]]) -> Candidates:
    """Returns the candidates that `encoded` made the parts of."""
    return Candidates({_candidate(*row[:3]): row[3] for row in rows}, edge)


_encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder(
    tuple[int, tuple[int, ...], list[tuple[str, int, Profile]]]
).decode
