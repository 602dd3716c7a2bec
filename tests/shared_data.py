"""Finds real conversations for development, which the project does not include.

They may be missing on a machine.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("UNDERTONE_DATA", Path(__file__).parents[2] / "shared" / "data"))
REAL = FOLDER / "real" / "dev.jsonl.gz"


def require(path: Path) -> Path:
    """Returns the path of the data. If the data is missing, the test is skipped, or fails in CI."""
    if not path.exists():
        reason = f"{path} is missing; set UNDERTONE_DATA to a data folder that has it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
