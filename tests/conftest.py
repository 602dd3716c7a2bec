"""Says at the end of a run which tests another toolchain would have let run."""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Names the live tests where they were left out."""
    left_out = terminalreporter.stats.get("deselected", [])
    if any("live" in item.keywords for item in left_out):
        terminalreporter.write_line(
            "left out: tests/live, which needs Java 17, Maven, the Google Cloud CLI with its "
            "Pub/Sub emulator, and Python 3.13; run it with: make test-live"
        )
