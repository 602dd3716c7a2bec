"""Fixtures for the tests of operations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pipelines.operations.pubsub_server import PubSub


@pytest.fixture
def pubsub(monkeypatch: pytest.MonkeyPatch) -> Iterator[PubSub]:
    """Serves Pub/Sub on a free port; the client library treats it as the emulator."""
    server = PubSub()
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.host)
    yield server
    server.stop()
