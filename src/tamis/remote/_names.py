"""The names of what lies on the server.

``tamis:1:{namespace:name:epoch}:digest`` is a value, ``tamis:1:{namespace:name}:epoch`` the epoch of a function, both
below the prefix whose changes the server tells. Leases lie beside it: nobody is told of them. The digest is of the
call's key, so that arguments are nowhere on the server.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import quote

_ROOT = "tamis:1:"
_LEASES = "tamis:1:lease:"


def quoted(text: str) -> str:
    """Return a name without what separates names, as in URLs."""
    return quote(text, safe="<>@+,;=!$&'()*")


def prefix(namespace: str) -> bytes:
    """Return what all names of a namespace begin with whose changes the server tells."""
    return f"{_ROOT}{{{quoted(namespace)}:".encode()


class FunctionNames:
    """The names of one function's entries."""

    def __init__(self, namespace: str, name: str) -> None:
        self._middle = f"{quoted(namespace)}:{quoted(name)}"
        self.epoch_key = f"{_ROOT}{{{self._middle}}}:epoch".encode()
        self._seed = blake2b(self.epoch_key, digest_size=16).digest()

    def digest(self, key: bytes) -> bytes:
        """Return the digest of a call's key, in hexadecimal digits. The same key of two functions has two."""
        return blake2b(key, digest_size=16, key=self._seed).hexdigest().encode()

    def value(self, epoch: bytes, digest: bytes) -> bytes:
        """Return the name of a value."""
        return b"%b{%b:%b}:%b" % (_ROOT.encode(), self._middle.encode(), epoch, digest)

    def lease(self, epoch: bytes, digest: bytes) -> bytes:
        """Return the name of the lease of whoever computes a value."""
        return b"%b{%b:%b}:%b" % (_LEASES.encode(), self._middle.encode(), epoch, digest)


class Parts(NamedTuple):
    """What a name on the server says, quoted as there. Without an epoch it is the name of one."""

    namespace: str
    function: str
    epoch: bytes | None
    is_lease: bool


_NAME = re.compile(rb"tamis:1:(lease:)?\{([^:{}]+):([^:{}]+)(?::([^:{}]+))?\}:(epoch|[0-9a-f]{32})")


def parse(name: bytes) -> Parts | None:
    """Return what a name says, or None if it is none of ours."""
    match = _NAME.fullmatch(name)
    if match is None or (match[4] is None) != (match[5] == b"epoch"):
        return None
    return Parts(match[2].decode(), match[3].decode(), match[4], match[1] is not None)


def pattern(namespace: str | None, leases: bool = False) -> bytes:
    """Return what SCAN finds the names of a namespace by, or of all, with or for ``leases`` alone."""
    if namespace is None:
        return f"{_ROOT}*".encode()
    own = re.sub(r"([*?\[\]\\^-])", r"\\\1", quoted(namespace))
    return f"{_LEASES if leases else _ROOT}{{{own}:*".encode()


def stripe(digest: bytes) -> int:
    """Return the stripe of a digest, by which near entries are told of changes."""
    return int(digest[:4], 16)


def changed(name: bytes) -> bytes | None:
    """Return the digest of a value that the server tells has changed. None: it is an epoch, or something else."""
    digest = name.rpartition(b"}:")[2]
    if len(digest) != 32 or not digest.isalnum():
        return None
    return digest
