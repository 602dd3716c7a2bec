"""Says at the end of a run which tests another toolchain would have let run."""

from __future__ import annotations

from typing import Any

import pytest


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Names the live tests where they were left out, as they are unless asked for."""
    if config.option.markexpr == "not live":
        terminalreporter.write_line(
            "left out: tests/live, which needs Java 17, Maven, the Google Cloud CLI with its "
            "Pub/Sub emulator, and Python 3.13; run it with: make test-live"
        )
