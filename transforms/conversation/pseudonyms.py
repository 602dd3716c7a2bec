"""Replaces ids by keyed hashes, so that nobody without the operator's secret can guess them.

An unkeyed hash does not hide an id: whoever has a list of possible ids can hash them all. All
hashes of ids and payloads that leave a worker are made here.

The hash is keyed BLAKE2b, which RFC 7693 (section 2.9) defines as a message authentication code. It
costs 0.5 µs per id, as much as BLAKE2b without a key. HMAC-SHA256 costs 2.2 µs.

This module does not use Beam.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

MIN_SECRET_BYTES: Final = 16
SHOWN_BYTES: Final = 16
"""The first bytes of a conversation's hash, which may be shown."""

_RANK_BYTES: Final = 8
_EVENT_BYTES: Final = 8
_USER_BYTES: Final = 8
_PAYLOAD_BYTES: Final = 16
_KEY_ID_BYTES: Final = 4


class Pseudonyms:
    """Hashes ids and payloads with a secret.

    Each kind of hash has its own key, which is derived from the secret. So equal texts in different
    fields have unrelated hashes, and no hash tells anything about one of another kind.

    An object can't be pickled, so the secret can't get into a pipeline graph by mistake. Workers
    load it with a `LoadPseudonyms`.

    Args:
      secret: at least 16 random bytes.

    Raises:
      ValueError: if the secret is too short.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < MIN_SECRET_BYTES:
            raise ValueError(
                f"a secret must have at least {MIN_SECRET_BYTES} random bytes, got {len(secret)}; "
                "make one with: head -c 32 /dev/urandom"
            )
        self._conversation = _hasher(secret, b"conversation", SHOWN_BYTES)
        self._rank = _hasher(secret, b"rank", _RANK_BYTES)
        self._event = _hasher(secret, b"event", _EVENT_BYTES)
        self._user = _hasher(secret, b"user", _USER_BYTES)
        self._payload = _hasher(secret, b"payload", _PAYLOAD_BYTES)
        self.key_id: Final = _hasher(secret, b"key id", _KEY_ID_BYTES).hexdigest()
        """8 hex digits that identify the secret and tell nothing about it."""

    def conversation(self, conversation_id: str) -> bytes:
        """Returns the hash of a conversation id, 24 bytes.

        The first 16 bytes may be shown; see `shown`. The last 8 are the conversation's rank, from
        which its record key is made; see `counting.contribution`. The rank is secret, because
        whoever knows the record keys of a cell can undo the cell's noise. It has a key of its own,
        so it can't be computed from the part that is shown.
        """
        encoded = _encoded(conversation_id)
        return _digest(self._conversation, encoded) + _digest(self._rank, encoded)

    def event(self, event_id: str) -> bytes:
        """Returns the 8-byte hash of an event id."""
        return _digest(self._event, _encoded(event_id))

    def user(self, user_id: str) -> str:
        """Returns the hash of a user id, 16 hex digits."""
        return _digest(self._user, _encoded(user_id)).hex()

    def payload(self, payload: bytes) -> str:
        """Returns the hash that identifies a payload, 32 hex digits."""
        return _digest(self._payload, payload).hex()


LoadPseudonyms = Callable[[], Pseudonyms]
"""Loads the secret once per worker. The function can be pickled, but a loaded secret cannot."""


def shown(conversation: bytes) -> str:
    """Returns the part of a conversation's hash that alerts and dead letters show, in hex."""
    return conversation[:SHOWN_BYTES].hex()


def _hasher(secret: bytes, purpose: bytes, size: int) -> blake2b:
    # The first block of HKDF-Expand (RFC 5869). It has 64 bytes, BLAKE2b's longest key.
    key = hmac.digest(secret, b"undertone " + purpose + b"\x01", "sha512")
    return blake2b(key=key, digest_size=size)


def _digest(hasher: blake2b, data: bytes) -> bytes:
    # To copy a hasher takes a third less time than to make one with a key.
    hasher = hasher.copy()
    hasher.update(data)
    return hasher.digest()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
