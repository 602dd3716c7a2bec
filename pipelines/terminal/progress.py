"""Says on standard error, every few seconds, how far a local run has come.

Beam's local runner gives its metrics only at the end, so the readers note what they read here. In
worker processes of their own the notes stay there, and only the time is said.
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
    """Notes that so many records more were read."""
    global _records_read  # noqa: PLW0603 (readers are made by Beam; there is nowhere else to meet)
    with _lock:
        _records_read += records


@contextmanager
def told(say: Callable[[str], None], every_s: float = EVERY_S) -> Iterator[None]:
    """Says how many records were read and how long it took so far, until the block ends."""
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
    """Says a sentence on standard error, under the program's name."""
    print(f"undertone: {sentence}", file=sys.stderr, flush=True)
