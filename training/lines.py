"""Reads files of JSON Lines."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read_lines(path: Path) -> Iterator[Any]:
    """Yields the objects of a JSON Lines file, which may be gzipped."""
    stored = path.read_bytes()
    text = (gzip.decompress(stored) if path.suffix == ".gz" else stored).decode("utf-8")
    yield from map(json.loads, filter(None, text.split("\n")))
