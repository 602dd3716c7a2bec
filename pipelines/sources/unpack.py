"""What goes wrong while packed bytes are unpacked."""

from __future__ import annotations

import lzma
import zlib
from typing import Final

from cramjam import DecompressionError
from zstandard import ZstdError

DAMAGE: Final = (
    EOFError,
    IndexError,
    MemoryError,  # A damaged length asks for petabytes.
    OSError,  # What bz2 raises.
    OverflowError,
    ValueError,
    DecompressionError,
    ZstdError,
    lzma.LZMAError,
    zlib.error,
)
"""What fastavro and the decompressors raise on bytes that are not what they should be."""
