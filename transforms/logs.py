"""Writes logs: one JSON object per line, at a limited rate, without any text of a conversation.

Fields are names, numbers and reasons that come from the code. The content of records is never
logged.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Final

PERIOD_S: Final = 60.0
"""A worker logs each event at most once per period. The next line says how many were left out."""

LOGGER: Final = logging.getLogger("undertone")

_last: dict[str, float] = {}
_left_out: dict[str, int] = {}


def log_event(
    event: str,
    *,
    level: int = logging.WARNING,
    key: str = "",
    clock: Callable[[], float] = time.monotonic,
    **fields: object,
) -> None:
    """Logs an event, unless one with the same name and key was logged in the last `PERIOD_S`.

    Args:
      event: the event's name.
      level: a level of `logging`.
      key: gives events with the same name separate limits, e.g. one limit per reason.
      clock: returns monotonic seconds.
      **fields: further fields of the line; values that JSON cannot hold are converted with `str`.
    """
    limit_key = f"{event} {key}"
    now_s = clock()
    last_s = _last.get(limit_key)
    if last_s is not None and now_s - last_s < PERIOD_S:
        _left_out[limit_key] = _left_out.get(limit_key, 0) + 1
        return
    _last[limit_key] = now_s
    entry = {"event": event, **fields, "left_out": _left_out.pop(limit_key, 0)}
    LOGGER.log(level, "%s", json.dumps(entry, sort_keys=True, default=str))
