"""Tests that every lock is complete, so that a later release of a package can't break it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement

from deploy.local.bigquery import installed
from deploy.local.packages import InstallError, install_error
from deploy.local.processes import ServiceError
from tests.deploy.locks import Lock, environment_of, holes, installed_in
from tests.services import have

ROOT: Final = Path(__file__).parents[2]
SUPPORTED: Final = [(f"3.{minor}", os) for minor in (11, 12, 13) for os in ("linux", "darwin")]
ROOT_LOCKS: Final = {"requirements.lock": ("RUNTIME", "LOCAL", "ACCURATE", "JUDGES"),
                     "requirements-dev.lock": ("RUNTIME", "LOCAL", "DEVELOPMENT")}  # fmt: skip
"""Each lock in the root folder, with the lists of setup.py that the lock pins."""


def lists_of_setup() -> dict[str, list[str]]:
    """Returns the lists of requirements in setup.py, by name."""
    lists: dict[str, Any] = {}
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            code = compile(ast.Expression(node.value), "setup.py", "eval")
            lists[node.targets[0].id] = eval(code, {}, lists)
    return lists


def required(file: Path) -> list[str]:
    """Returns the requirements of an `.in` file."""
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    return [line for line in lines if line]


def roots_of(lock: str) -> list[str]:
    """Returns the requirements from which a lock in the root folder was made."""
    lists = lists_of_setup()
    named = [one for name in ROOT_LOCKS[lock] for one in lists[name]]
    return [*named, *required(ROOT / "requirements.in")]


@pytest.mark.parametrize("lock", ROOT_LOCKS)
@pytest.mark.parametrize(("python", "platform"), SUPPORTED)
def test_a_lock_is_complete(lock: str, python: str, platform: str) -> None:
    """Every requirement of every pinned package, with extras and markers, is met by a pin."""
    environment = environment_of(python, platform)
    found = holes(Lock.read(ROOT / lock), roots_of(lock), installed_in(), environment)
    assert list(found) == []


@pytest.mark.parametrize("lock", ROOT_LOCKS)
def test_the_metadata_of_every_pin_is_read(lock: str) -> None:
    """Every pin for this machine is installed in its version, so the walk skips no package."""
    environment = environment_of("3.11", "linux")
    pinned = Lock.read(ROOT / lock).versions(environment)
    known = installed_in()
    assert {name: known[name].version for name in pinned} == pinned


@pytest.mark.parametrize("lock", ROOT_LOCKS)
def test_a_removed_pin_is_found(lock: str) -> None:
    """For every removed pin, the walk names a package that requires it."""
    environment = environment_of("3.11", "linux")
    whole = Lock.read(ROOT / lock)
    known = installed_in()
    for name in whole.versions(environment):
        found = list(holes(whole.without(name), roots_of(lock), known, environment))
        assert any(f"requires {name}" in hole for hole in found), name


def test_a_requirement_of_an_extra_is_found() -> None:
    """The walk follows `google-auth[pyopenssl]`, although a lock names it without the extra."""
    lock = Lock((Requirement("google-auth==2.62.2"),))
    roots = ["google-auth[pyopenssl]"]
    found = list(holes(lock, roots, installed_in(), environment_of("3.11", "linux")))
    assert any("requires cryptography" in hole for hole in found)


def test_the_emulators_lock_is_complete() -> None:
    """The BigQuery emulator's lock meets every requirement of its packages."""
    environment: Path = have(installed)
    packages = list((environment / "lib").glob("python3.*/site-packages"))
    roots = required(ROOT / "deploy" / "local" / "requirements.in")
    lock = Lock.read(ROOT / "deploy" / "local" / "requirements.lock")
    python = packages[0].parent.name.removeprefix("python")
    known = installed_in(packages)
    assert list(holes(lock, roots, known, environment_of(python, "linux"))) == []


def test_only_a_missing_network_excuses_a_failed_install() -> None:
    """A test is skipped when pip cannot reach its index, and fails when pip refuses a lock."""
    refused = "ERROR: In --require-hashes mode, all requirements must have their versions pinned"
    assert isinstance(install_error("the image", refused), InstallError)
    unreachable = "Retrying after connection broken by 'NewConnectionError(...)'\nERROR: No match"
    assert not isinstance(install_error("the image", unreachable), InstallError)

    def fails() -> None:
        raise install_error("the image", refused)

    with pytest.raises(ServiceError, match="versions pinned"):
        have(fails)
