"""The codec of shared caches, and plain values for it."""

from __future__ import annotations

import math
import struct

from hypothesis import strategies as st

from tamis import _core

PICKLED = 22
NAN = float("nan")


def same(a: object, b: object) -> bool:
    """Whether two values are of one type and equal, items included; NaNs by their bits."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    return a == b


def round_trip(value: object) -> object:
    answer = _core._loads(_core._dumps(value))
    assert answer is not None, value
    return answer[0]


def is_immutable(value: object) -> bool:
    return _core._loads(_core._dumps(value))[1]


def is_compact(value: object) -> bool:
    return _core._dumps(value)[0] != PICKLED


def key(*args: object, typed: bool = False, **kwargs: object) -> bytes:
    return _core._key(args, kwargs, typed)


INTS = [
    sign * (1 << bits) + more
    for bits in [*range(0, 70), 89, 90, 91, 120, 1000]
    for sign in (1, -1)
    for more in (-1, 0, 1)
]
TEXTS = [
    "",
    "a",
    "é",
    "€",
    "𝄞",
    "\0",
    "a" * 63,
    "a" * 64,
    "é" * 200,
    "€" * 200,
    "𝄞é" * 100,
    "\ud800",
    "a\udfff",
    "\x7f\x80\xff",
]
FLOATS = [
    0.0,
    -0.0,
    1.5,
    -1e300,
    5e-324,
    math.inf,
    -math.inf,
    NAN,
    struct.unpack("d", struct.pack("Q", 0xFFF8000000000123))[0],
]
BYTES = [b"", b"\0", bytes(range(256)), b"x" * 100_000]
PLAIN = [None, True, False, *INTS, *TEXTS, *FLOATS, *BYTES, 1j, complex(-0.0, NAN)]


def values(keys_only: bool = False) -> st.SearchStrategy:
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.complex_numbers()
        | st.text(st.characters(codec=None))
        | st.binary()
    )
    hashable = st.recursive(
        leaves, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=4), max_leaves=8
    )
    if keys_only:
        return hashable
    return st.recursive(
        hashable | st.binary().map(bytearray),
        lambda inner: st.lists(inner, max_size=5)
        | st.dictionaries(hashable, inner, max_size=5)
        | st.sets(hashable, max_size=5),
        max_leaves=20,
    )
