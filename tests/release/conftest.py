"""What the tests of a release share: the package is built and installed once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.release.package import build_sdist, install


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives the source distribution."""
    return build_sdist(tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def release_python(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Gives a Python that has the source distribution and what it asks for, and nothing else.

    Takes about a minute and a gigabyte; tests that ask for it go into the `xdist_group` "release".
    """
    folder = tmp_path_factory.mktemp("release") / "venv"
    yield install(sdist, folder)
    shutil.rmtree(folder)  # pytest would keep a gigabyte of each of the last three runs.
