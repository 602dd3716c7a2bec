"""The file of labels: one reading a line, appended and on disk before the page goes on."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from pipelines.labelling.reading import Reading
from schemas.failures import InputError

_OWNER_ONLY: Final = 0o600
_decode = msgspec.json.Decoder(Reading).decode
_encode = msgspec.json.Encoder().encode


def parse_reading(line: bytes, place: str) -> Reading:
    """Reads one line of a file of labels.

    Args:
      line: the line, as `LabelFile.append` writes it.
      place: name of the file and number of the line, for the error.

    Raises:
      InputError: if the line is not a reading, or its labels are not valid. It quotes no label and
        no text of the line.
    """
    try:
        reading = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InputError(
            f'{place} is not a label; write {{"conversation": …, "started_at_us": …, "use": …, '
            '"types": […], "reader": …} on each line'
        ) from None
    if fault := reading.fault():
        raise InputError(f"{place}: {fault}")
    return reading


class LabelFile:
    """A file of labels to which several readers may append at the same time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Reading]:
        """Returns all readings in the order in which they were saved; none if there is no file.

        A last line that breaks off is left out: the program was killed while it saved.

        Raises:
          InputError: if the file can't be read, or a line is not a reading.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(
                f"can't read {self.path} ({error.strerror}); name a different file"
            ) from None
        return list(parse_readings(content, self.path.name))

    def append(self, reading: Reading) -> None:
        """Saves a reading. When this returns, a crash can no longer lose it.

        Raises:
          OSError: if the disk is full or the file can't be written. The readings before it stay.
        """
        line = _encode(reading) + b"\n"
        with self._locked() as number:
            content = _content(number)
            whole = _without_torn_line(content)
            os.ftruncate(number, len(whole))
            os.lseek(number, 0, os.SEEK_END)
            _write(number, line if whole.endswith(b"\n") or not whole else b"\n" + line)
            os.fsync(number)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        number = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            yield number
        finally:
            os.close(number)


def parse_readings(content: bytes, name: str) -> Iterator[Reading]:
    """Yields the readings of a whole file of labels.

    Args:
      content: the file. A last line that breaks off is left out.
      name: the file's name, for errors.

    Raises:
      InputError: if a line is not a reading; the message gives its number, but not its content.
    """
    for number, line in enumerate(_without_torn_line(content).split(b"\n"), 1):
        if line.strip():
            yield parse_reading(line, f"{name} line {number}")


def _without_torn_line(content: bytes) -> bytes:
    end = content.rfind(b"\n") + 1
    try:
        if content[end:].strip():
            msgspec.json.decode(content[end:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return content[:end]
    return content


def _content(number: int) -> bytes:
    os.lseek(number, 0, os.SEEK_SET)
    with open(number, "rb", closefd=False) as file:
        return file.read()


def _write(number: int, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(number, rest) :]
