"""Callables that differ: those of one group in one thing alone. `test_region_names.py` names all of them.

The groups are in `region_groups.py`: texts of expressions, one a line. They are compiled in a file of their own, which
uses what is defined here.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import struct
import sys
from pathlib import Path

from helpers.region_groups import GROUPS


def timed(f):
    @functools.wraps(f)
    def wrapper(*args):
        return f(*args)

    return wrapper


def named(tag):
    def decorate(f):
        @functools.wraps(f)
        def wrapper(*args):
            return tag, f(*args)

        return wrapper

    return decorate


def over(value):
    def f(x):
        return x, value

    return f


def default(value):
    def f(x, y=value):
        return x, y

    return f


def by_name(value):
    def f(x, *, y=value):
        return x, y

    return f


def helped(helper):
    def f(x):
        return helper(x)

    return f


def recursive(factor):
    def factorial(n):
        return n * factor * factorial(n - 1) if n else 1

    return factorial


def mutual(end):
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != end and even(n - 1)

    return even


def reads_attribute(rate):
    def f(x):
        return x * f.rate

    f.rate = rate
    return f


def attribute_of_wrapped(rate):
    def f(x):
        return x

    f.rate = rate

    @functools.wraps(f)
    def wrapper(x):
        return x * getattr(f, "rate")  # noqa: B009

    return wrapper


def awaiting(value):
    async def f(x):
        return x, value

    return f


def dispatching(factor):
    @functools.singledispatch
    def f(x):
        return x

    @f.register
    def _(x: int):
        return x * factor

    return f


def marked(annotation):
    def f(x):
        return x

    f.__annotations__ = {"x": annotation}
    return f


def double(bits):
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Items(frozenset):
    pass


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


class Level(enum.IntEnum):
    LOW = 1


class Mode(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Point:
    x: object
    y: object = 0

    def scale(self, factor):
        return self.x * factor


@dataclasses.dataclass(frozen=True)
class Frozen:
    items: object


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a, b):
        self.a, self.b = a, b

    def __call__(self, x):
        return x


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)

    def __call__(self, x):
        return x

    def method(self, x):
        return x

    @classmethod
    def made(cls, x):
        return x

    @staticmethod
    def still(x):
        return x


class Decorator:
    def __init__(self, f):
        functools.update_wrapper(self, f)
        self.f = f

    def __call__(self, *args):
        return self.f(*args)


def local(number):
    """Classes of one name, made at run time."""

    class Local:
        rate = 1

        def __call__(self, x):
            return x

    first = Local

    class Local:
        rate = 2

        def __call__(self, x):
            return x

    second = Local

    class Local:
        rate = 1

        def __call__(self, x):
            return self.other(x)

        def other(self, x):
            return x

    third = Local

    class Local:
        rate = 1

        def __call__(self, x):
            return self.other(x)

        def other(self, x):
            return x + 1

    class Heir(third):
        pass

    inherited = Heir

    class Heir(Local):
        pass

    return first, second, third, Local, inherited, Heir


def local_kinds(number):
    @dataclasses.dataclass
    class Data:
        a: int = number

        def __call__(self, x):
            return self.a * x

    class Kind(enum.Enum):
        A = number
        B = 20

    return Data, Kind


HEAD = """
import collections, datetime, decimal, fractions, functools, logging, math, operator, pathlib, re, types, typing, uuid
from functools import partial

import tamis
from helpers.region_cases import *

CASES = []
"""


def expressions():
    """All groups with their expressions."""
    return [(group, line.strip()) for group, text in GROUPS.items() for line in text.strip().splitlines()]


def write(folder: Path) -> None:
    """Make the module `built_cases` with all of them."""
    lines = [f"CASES.append(lambda: {expression})" for _, expression in expressions()]
    (folder / "built_cases.py").write_text(HEAD + "\n".join(lines) + "\n")


def print_names(folder: str) -> None:
    """Print the region's name of each, in their order."""
    sys.path.insert(0, folder)
    import built_cases

    from tamis._identity.region_name import region_name

    for make in built_cases.CASES:
        print(region_name(make()))
