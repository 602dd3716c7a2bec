"""Reads files and writes the outcome of each as a JSON line; used by `test_bombs`."""

from __future__ import annotations

import json
import resource
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from pipelines.sources.files import AvroSource, JsonLinesSource
from schemas.failures import InputError
from schemas.wire.validate import Limits
from tests.builders import HOUR_US, PSEUDONYMS
from transforms.conversation.messages import decode_chunk


def peak_mb() -> int:
    """Returns the peak memory of this process in megabytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # The value from `getrusage` would include the peak of the parent process.
        (peak,) = (s for s in status.read_text().splitlines() if s.startswith("VmHWM"))
        return int(peak.split()[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20


def read(path: str) -> dict[str, Any]:
    """Reads and decodes a file in the same way as a job."""
    is_avro = path.endswith(".avro")
    source = AvroSource(path) if is_avro else JsonLinesSource(path, splittable=False)
    letters: Counter[str] = Counter()
    rows, error = 0, ""
    try:
        for chunk in source.read(source.get_range_tracker(None, None)):
            rows += len(chunk.rows)
            _, refused, _ = decode_chunk(chunk, Limits(allowed_lateness_us=HOUR_US), PSEUDONYMS)
            letters.update(letter.reason for letter in refused)
    except InputError as wrong:
        error = str(wrong)
    return {"rows": rows, "letters": letters, "error": error, "peak_mb": peak_mb()}


if __name__ == "__main__":
    for each in sys.argv[1:]:
        sys.stdout.write(json.dumps({"name": Path(each).name, **read(each)}) + "\n")
