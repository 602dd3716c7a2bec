"""Lets users write flags with dashes. The flags themselves have underscores, like those of Beam."""

from __future__ import annotations

from collections.abc import Sequence


def underscored(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments with underscores instead of dashes in the names of flags.

    `--own-data` becomes `--own_data`. Values, and all arguments after a lone `--`, do not change.
    """
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    return [*map(_underscored, arguments[:end]), *arguments[end:]]


def _underscored(argument: str) -> str:
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument[2:].partition("=")
    return f"--{name.replace('-', '_')}{equals}{value}"
