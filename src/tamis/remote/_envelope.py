"""What lies around a value on the server: who wrote it, how long it is fresh, and a check over all of it and the key.

Any bytes at all may come from a server. What does not check is a miss, and nothing is decoded before it has checked.
"""

from __future__ import annotations

import hmac
import struct
from hashlib import blake2b

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    class Content(NamedTuple):
        stale: int
        on_error: int
        payload: bytes


# Magic; version of this layout; what has made the payload; for how many milliseconds before its end an entry is stale;
# for how many of these it is good only where computing raises; length of the payload.
_HEAD = struct.Struct(">2sBBQQI")
_MAGIC, _VERSION = b"tm", 1
_BUILT_IN, _SERIALIZED = 0, 1
_CHECK = 32
OVERHEAD = _HEAD.size + _CHECK


class Envelope:
    """Seals and opens values, with a secret or without.

    Without one the check is a hash, against damage and mix-ups; with one it is an HMAC-SHA256, against forgery.
    """

    def __init__(self, secret: bytes | None, serialized: bool) -> None:
        self._secret = secret
        self._kind = _SERIALIZED if serialized else _BUILT_IN

    def _check(self, key: bytes, message: bytes) -> bytes:
        # Its length first, so that no part of a key passes for one of the message.
        whole = b"%d:%b%b" % (len(key), key, message)
        if self._secret is not None:
            return hmac.digest(self._secret, whole, "sha256")
        return blake2b(whole, digest_size=_CHECK).digest()

    def seal(self, key: bytes, payload: bytes, stale: int, on_error: int) -> bytes:
        """Return what the server keeps. ``stale`` and ``on_error`` are milliseconds, the second within the first."""
        message = _HEAD.pack(_MAGIC, _VERSION, self._kind, stale, on_error, len(payload)) + payload
        return self._check(key, message) + message

    def open(self, key: bytes, sealed: object) -> tuple[int, int, bytes] | None:
        """Return the two spans and the payload, or None of what was not sealed so, by this version and for this key."""
        if type(sealed) is not bytes or len(sealed) < OVERHEAD:
            return None
        check, message = sealed[:_CHECK], sealed[_CHECK:]
        magic, version, kind, stale, on_error, length = _HEAD.unpack_from(message)
        if (magic, version, kind) != (_MAGIC, _VERSION, self._kind) or len(message) != _HEAD.size + length:
            return None
        if not hmac.compare_digest(check, self._check(key, message)):
            return None
        return stale, on_error, message[_HEAD.size :]
