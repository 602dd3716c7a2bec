"""What stored state says of the version that wrote it. No Beam here.

State holds the values of breakdowns in the order of `ATTRIBUTES`. So it also holds their ids: state
of a version with other breakdowns is refused, never read with another meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from schemas.breakdowns import ATTRIBUTES, BREAKDOWNS

STATED_IDS: Final = tuple(
    breakdown.id for name in ATTRIBUTES for breakdown in BREAKDOWNS if breakdown.name == name
)
"""Ids of the breakdowns that events state, in the order in which records hold their values."""


def check_layout(what: str, version: int, known_version: int, ids: Sequence[int]) -> None:
    """Refuses stored state that this version would misread.

    Args:
      what: names the state.
      version: of the layout, as the state says.
      known_version: of the layout that this version writes.
      ids: of the breakdowns, as the state says.

    Raises:
      ValueError: the version or the breakdowns differ.
    """
    if version != known_version:
        raise ValueError(f"{what} has version {version}, not {known_version}")
    if tuple(ids) != STATED_IDS:
        raise ValueError(
            f"{what} holds the breakdowns {list(ids)}, this version has {list(STATED_IDS)}; "
            "start a new job and backfill"
        )
