"""Reads a lock's packages and their requirements, without a network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_PIN: Final = re.compile(r"^([a-z0-9-]+==[^\\\n]+?)\s*\\?$", re.MULTILINE)


@dataclass(frozen=True)
class Lock:
    """The pins of a lock file, each with its environment marker."""

    pins: tuple[Requirement, ...]

    @classmethod
    def read(cls, file: Path) -> Lock:
        """Reads a lock that uv wrote: one `name==version ; marker` per package."""
        return cls(tuple(map(Requirement, _PIN.findall(file.read_text()))))

    def without(self, name: str) -> Lock:
        """Returns the lock without one package."""
        return Lock(tuple(pin for pin in self.pins if pin.name != name))

    def versions(self, environment: dict[str, str]) -> dict[str, str]:
        """Returns the versions of the packages that the lock installs in an environment."""
        return {
            canonicalize_name(pin.name): next(iter(pin.specifier)).version
            for pin in self.pins
            if pin.marker is None or pin.marker.evaluate({**environment, "extra": ""})
        }


def environment_of(python: str, platform: str) -> dict[str, str]:
    """Returns the values that markers depend on, e.g. for Python "3.12" on "linux"."""
    system, machine = {"linux": ("Linux", "x86_64"), "darwin": ("Darwin", "arm64")}[platform]
    here = {name: str(value) for name, value in default_environment().items()}
    return {
        **here,
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": platform,
        "platform_system": system,
        "platform_machine": machine,
    }


def installed_in(folders: Iterable[Path] | None = None) -> dict[str, Distribution]:
    """Returns the packages installed in this Python, or in the given `site-packages`, by name."""
    found = distributions(path=[str(f) for f in folders]) if folders else distributions()
    return {canonicalize_name(one.metadata["Name"]): one for one in found}


def holes(
    lock: Lock,
    roots: Iterable[str],
    known: Mapping[str, Distribution],
    environment: dict[str, str],
) -> Iterator[str]:
    """Yields each requirement that no pin meets, as `by requires name`.

    Follows the roots through the metadata of every package, with extras and markers. A package that
    only another platform installs has no metadata here. The pin of such a package is checked, but
    the package's own requirements are not.
    """
    pinned = lock.versions(environment)
    todo = [("the roots", Requirement(root), "") for root in roots]
    done: set[tuple[str, str, str]] = set()
    while todo:
        by, needed, extra = todo.pop()
        if needed.marker and not needed.marker.evaluate({**environment, "extra": extra}):
            continue
        name = canonicalize_name(needed.name)
        if (name, str(needed.specifier), str(sorted(needed.extras))) in done:
            continue
        done.add((name, str(needed.specifier), str(sorted(needed.extras))))
        if name not in pinned or not needed.specifier.contains(pinned[name], prereleases=True):
            yield f"{by} requires {name}{needed.specifier}"
        elif name in known and known[name].version == pinned[name]:
            for requires in known[name].requires or ():
                wanted = Requirement(requires)
                todo += [(name, wanted, extra) for extra in ("", *needed.extras)]
