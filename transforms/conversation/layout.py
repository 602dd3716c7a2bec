"""Checks that this version can read a stored state. No Beam here.

State holds the values of breakdowns in the order of `ATTRIBUTES`, and the ids of these breakdowns.
State that a version with other breakdowns wrote is refused, so its values are never misread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from schemas.breakdowns import ATTRIBUTES, BREAKDOWNS

STATED_IDS: Final = tuple(
    breakdown.id for name in ATTRIBUTES for breakdown in BREAKDOWNS if breakdown.name == name
)
"""Ids of the breakdowns that events state, in the order of their values in the records."""


def check_layout(what: str, version: int, known_version: int, ids: Sequence[int]) -> None:
    """Refuses stored state that this version would misread.

    Args:
      what: name of the state, for the error.
      version: version of the layout that the state names.
      known_version: version of the layout that this code writes.
      ids: ids of the breakdowns that the state names.

    Raises:
      ValueError: if the version or the breakdowns differ from those of this code.
    """
    if version != known_version:
        raise ValueError(
            f"{what} has version {version}, not {known_version}; start a new job and backfill"
        )
    if tuple(ids) != STATED_IDS:
        raise ValueError(
            f"{what} has the breakdowns {list(ids)}, this version has {list(STATED_IDS)}; "
            "start a new job and backfill"
        )
