"""Functions and values for shared caches."""

from __future__ import annotations

import enum
from collections import namedtuple


class Colour(enum.IntEnum):
    RED = 1


class Unserializable:
    def __reduce__(self):
        raise ValueError("not this one")


def counted(function=None):
    """A function that notes its calls."""
    calls = []

    def f(*args, **kwargs):
        calls.append((args, kwargs))
        return function(*args, **kwargs) if function else (args, tuple(kwargs.items()))

    f.calls = calls
    return f


Point = namedtuple("Point", "x y")


class Text(str):
    __slots__ = ()
