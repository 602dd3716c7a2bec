"""Reports a full disk in one sentence that says which disk it is."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from schemas.failures import InputError

_SAID: Final = {
    number: os.strerror(number)
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # EFBIG: the process's own size limit.
}
_CURE: Final = "free some space or write to another disk"


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yields an error and its chain of causes."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def full_disk(error: BaseException) -> str | None:
    """Returns the operating system's message if a full disk caused an error; otherwise None."""
    for link in causes(error):
        if isinstance(link, InputError):
            return None
        if isinstance(link, OSError) and link.errno in _SAID:
            return _SAID[link.errno]
        # DuckDB and Beam's workers quote the system's words in their own errors.
        text = str(link)
        for said in _SAID.values():
            if said in text:
                return said
    return None


@contextmanager
def writing_to(place: Path, cure: str = _CURE) -> Iterator[None]:
    """Turns the error of a full disk into an InputError that names the place.

    Args:
      place: the file or folder to be written.
      cure: what the user can do about the full disk.
    """
    try:
        yield
    except Exception as error:
        said = full_disk(error)
        if said is None:
            raise
        raise InputError(f"{place} can't be written: {said}; {cure}") from None
