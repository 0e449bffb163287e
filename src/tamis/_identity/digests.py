"""Bytes and digests that are the same in every process, and what has none.

Unlike ``==`` and ``hash``, they tell 1 from True and 1.0, 0.0 from -0.0, and one NaN from another; unlike ``pickle``
and ``marshal``, they depend neither on the order of a set, which differs with the hash seed, nor on which strings are
one object.
"""

from __future__ import annotations

from tamis import _core

try:
    # What hashlib has under this name; it imports OpenSSL for the others.
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Nameless(Exception):
    """Something has nothing that is the same in every process."""


def text(value: str) -> bytes:
    """Return the bytes of a string, lone surrogates included."""
    return value.encode("utf-8", "surrogatepass")


def framed(*parts: bytes) -> bytes:
    """Put each part behind its length, so that no two lists of parts look alike."""
    return b"".join(b"%d:%b" % (len(part), part) for part in (b"%d" % len(parts), *parts))


def digest(*parts: bytes) -> bytes:
    """Return 16 bytes for these parts."""
    found: bytes = digester(framed(*parts)).digest()
    return found


def digester(content: bytes = b"") -> Any:
    """Return what makes a digest of 16 bytes."""
    return blake2b(content, digest_size=16)


def constant(value: Any) -> bytes:
    """Return what tells a constant of code from all others. Code itself is none: see `code.whole`."""
    plain = _core._canonical(value)
    if plain is not None:
        return b"plain" + plain
    if value is Ellipsis:
        return b"ellipsis"
    if type(value) is tuple:
        return b"tuple" + framed(*map(constant, value))
    if type(value) is frozenset:
        return b"set" + framed(*sorted(map(constant, value)))
    if type(value) is slice:
        return b"slice" + framed(*map(constant, (value.start, value.stop, value.step)))
    raise Nameless
