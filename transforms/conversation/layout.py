"""Checks that this version can read a stored state.

State holds the values of breakdowns in the order of `ATTRIBUTES`, and the ids of these breakdowns.
State written by a version with different breakdowns is refused, so values are never misread.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from schemas.breakdowns import ATTRIBUTES, BREAKDOWNS

STATED_IDS: Final = tuple(
    breakdown.id for name in ATTRIBUTES for breakdown in BREAKDOWNS if breakdown.name == name
)
"""Ids of the breakdowns whose values come from events, in the order of the values in records."""


def check_layout(what: str, version: int, known_version: int, ids: Sequence[int]) -> None:
    """Refuses stored state that this version would misread.

    Args:
      what: name of the state, for the error message.
      version: layout version stored in the state.
      known_version: layout version that this code writes.
      ids: ids of the breakdowns stored in the state.

    Raises:
      ValueError: if the version or the breakdowns differ from the ones that this code uses.
    """
    if version != known_version:
        raise ValueError(
            f"{what} has layout version {version}, but this version of Undertone reads only "
            f"{known_version}; start a new job and backfill"
        )
    if tuple(ids) != STATED_IDS:
        raise ValueError(
            f"{what} has the breakdown ids {list(ids)}, but this version of Undertone has "
            f"{list(STATED_IDS)}; start a new job and backfill"
        )
