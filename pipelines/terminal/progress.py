"""Prints on standard error, every few seconds, how far a local run has come.

Beam's local runner gives its metrics only at the end, so the readers count their records here. If
the workers are separate processes, their counts are not visible here. Then only the time is
printed.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

EVERY_S: Final = 5.0

_lock = threading.Lock()
_records_read = 0


def note_read(records: int) -> None:
    """Adds to the number of records read."""
    global _records_read  # noqa: PLW0603 (Beam makes the readers, so they can share nothing else)
    with _lock:
        _records_read += records


@contextmanager
def told(say: Callable[[str], None], every_s: float = EVERY_S) -> Iterator[None]:
    """Until the block ends, prints the number of records read so far and the time taken."""
    started = time.monotonic()
    before = _records_read
    ended = threading.Event()

    def tell() -> None:
        while not ended.wait(every_s):
            records = _records_read - before
            read = f"{records:,} records read, " if records else ""
            say(f"{read}{time.monotonic() - started:.0f} s …")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def say(sentence: str) -> None:
    """Prints a sentence on standard error, after the program's name."""
    print(f"undertone: {sentence}", file=sys.stderr, flush=True)
