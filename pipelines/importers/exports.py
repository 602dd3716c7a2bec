"""Opens data exports: a `conversations.json`, or the folder or zip file that contains it."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, TypeVar

import msgspec

from schemas.failures import InputError

CONVERSATIONS: Final = "conversations.json"
_FIRST_LOOK_BYTES: Final = 65_536

ExportT = TypeVar("ExportT")


@contextmanager
def open_export(path: Path) -> Iterator[IO[bytes]]:
    """Opens the conversations of an export.

    Raises:
      InputError: if the export has no conversations, or they can't be read.
    """
    try:
        if path.is_dir():
            path /= CONVERSATIONS
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive, archive.open(_member(path, archive)) as file:
                yield file
        else:
            with path.open("rb") as file:
                yield file
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        # zipfile raises RuntimeError for encryption and unknown compression.
        cause = error.strerror if isinstance(error, OSError) else None
        raise InputError(
            f"{path} can't be read ({cause or 'a broken or encrypted zip file'}); "
            f"give a {CONVERSATIONS}, or the folder or zip file that contains it."
        ) from error


def decode_export(path: Path, type_: type[ExportT]) -> ExportT:
    """Reads a whole export. Keeps only the fields that the given type names.

    Raises:
      InputError: if the export is not JSON or has a different structure.
    """
    with open_export(path) as file:
        content = file.read()
    try:
        try:
            return msgspec.json.decode(content, type=type_)
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError):
            # The standard library accepts a lone surrogate (half an emoji); msgspec does not.
            return msgspec.convert(json.loads(content), type=type_)
    except msgspec.ValidationError as error:
        raise InputError(
            f"{path} does not have the shape of an export ({error}); export your chats again."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON; export your chats again.") from error


def first_of_array(path: Path) -> Any:
    """Returns the first element of an export's JSON array without reading the rest.

    Raises:
      InputError: if the export is not a JSON array, or is empty.
    """
    with open_export(path) as file:
        decoder, content, size_bytes = json.JSONDecoder(), b"", _FIRST_LOOK_BYTES
        while more := file.read(size_bytes):
            content += more
            size_bytes = len(content)  # Doubling it keeps the total time linear.
            text = content.decode("utf-8-sig", "replace").lstrip()
            if not text.startswith("["):
                break
            try:
                return decoder.raw_decode(text[1:].lstrip())[0]
            except (ValueError, RecursionError):
                continue
    raise InputError(
        f"{path} contains no conversations; give a chat export, or a file with one conversation "
        "per line."
    )


def _member(path: Path, archive: zipfile.ZipFile) -> str:
    """Returns the path of the `conversations.json` that is nearest to the top of a zip file."""
    names = [name for name in archive.namelist() if PurePosixPath(name).name == CONVERSATIONS]
    if not names:
        raise InputError(f"{path} contains no {CONVERSATIONS}; give a chat export.")
    return min(names, key=lambda name: (name.count("/"), name))
