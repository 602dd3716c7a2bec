"""Tests that the source folders stay small enough to be read."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
MOST_MODULES: Final = 14
MOST_LINES: Final = 400

ONE_MODULE_PER_FACET: Final = ROOT / "transforms" / "facets"
"""A folder that grows by design: its modules are alike, and a new facet must touch no other file.

`tests/transforms/facets/test_registry.py` checks that the modules here are facets.
"""

PACKAGES: Final = ("pipelines", "transforms", "schemas")
MODULES: Final = [module for name in PACKAGES for module in (ROOT / name).rglob("*.py")]
FOLDERS: Final = sorted({module.parent for module in MODULES})
"""The folders of these modules. Folders without Python, such as templates, are left out."""

each_folder = pytest.mark.parametrize(
    "folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT))
)


@each_folder
def test_a_folder_has_few_modules(folder: Path) -> None:
    """A folder has at most 14 modules, not counting `__init__`."""
    modules = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    assert len(modules) <= MOST_MODULES or folder == ONE_MODULE_PER_FACET


@each_folder
def test_a_folder_says_what_it_is_for(folder: Path) -> None:
    """The docstring in a folder's `__init__` starts with a sentence about the folder."""
    source = (folder / "__init__.py").read_text("utf-8")
    first, *_ = (ast.get_docstring(ast.parse(source)) or "").split("\n\n")
    assert first.endswith(".")
    assert len(first.split()) > 1


def test_modules_are_short() -> None:
    """No module has more than 400 lines, except generated ones."""
    lines = {
        str(module.relative_to(ROOT)): len(module.read_text("utf-8").splitlines())
        for module in MODULES
        if not module.name.endswith("_pb2.py")
    }
    assert {module: n for module, n in lines.items() if n > MOST_LINES} == {}
