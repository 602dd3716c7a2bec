"""The ids by which stored state names facets and breakdowns.

No id here may change or be given to another name, because a running job's state contains it. A new
facet or breakdown joins when it is first released. From then on, golden state must contain it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FACET_IDS: Final[Mapping[str, int]] = {
    "all": 1, "type": 2, "use": 3, "length": 4, "long": 5, "sentiment": 6, "pushback": 7,
    "pushback_reason": 8, "drift": 9, "drift_long": 10, "opening": 11, "drift_headline": 12,
    "opening_long": 13, "drift_long_headline": 14, "companionship_and_roleplay": 15,
}  # fmt: skip

BREAKDOWN_IDS: Final[Mapping[str, int]] = {
    "overall": 0, "platform": 1, "country": 2, "language": 3, "plan": 4, "model": 5, "length": 6,
}  # fmt: skip
