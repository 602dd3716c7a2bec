"""Real conversations for development; they are no part of the project and may be missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("UNDERTONE_DATA", Path(__file__).parents[2] / "shared" / "data"))
REAL = FOLDER / "real" / "dev.jsonl.gz"


def require(path: Path) -> Path:
    """Returns the path; skips the test where it is missing, and fails it in CI."""
    if not path.exists():
        reason = f"needs {path.name}, a data set that is not part of the project"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
