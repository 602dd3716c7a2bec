"""How flags are spelled: with underscores, as Beam spells its own. Dashes are accepted."""

from __future__ import annotations

from collections.abc import Sequence


def underscored(arguments: Sequence[str]) -> list[str]:
    """Returns arguments with the dashes in flags' names as underscores.

    `--own-data` becomes `--own_data`. Values, and what follows a lone `--`, stay as they are.
    """
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    return [*map(_underscored, arguments[:end]), *arguments[end:]]


def _underscored(argument: str) -> str:
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument[2:].partition("=")
    return f"--{name.replace('-', '_')}{equals}{value}"
