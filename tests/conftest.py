"""Gives all tests a local secret, keeps a group on one xdist worker, and lists tests left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Registers the group marker of xdist, which pytest does not know if xdist is off."""
    config.addinivalue_line("markers", "xdist_group(name): run by one worker, which sets up once")


@pytest.fixture(scope="session", autouse=True)
def local_secret(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps the configuration of the person who runs the tests out of them, and the reverse."""
    from tests.builders import OPERATOR_SECRET  # noqa: PLC0415 (slow)

    folder = tmp_path_factory.mktemp("config")
    path = folder / "undertone" / "secret"
    path.parent.mkdir()
    path.touch(mode=0o600)
    path.write_bytes(OPERATOR_SECRET)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        yield


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lets xdist's scheduler see the group of each test, read from the end of the test's name.

    xdist 3.8 appends the group to the name, but in an attribute that pytest 9.2 no longer reads.
    Without this hook the group marker would have no effect.
    """
    for item in items:
        named: Any = item
        if hasattr(named, "_nodeid") and hasattr(named, "_id"):
            named._id = type(named._id).parse(named._nodeid)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Lists the tests that run only on request."""
    if config.option.markexpr == "not live and not cluster":
        terminalreporter.write_line(
            "left out: tests/live, which needs Java 17, Maven, the Google Cloud CLI with its "
            "Pub/Sub emulator, and Python 3.13; run it with: make test-live"
        )
        terminalreporter.write_line(
            "left out: tests/cluster, which needs Java 17, Maven and a quarter of an hour; run it "
            "with: make test-cluster"
        )
