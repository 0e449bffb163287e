"""Rows for arguments of other types than int and str: named tuples, dates, dataclasses, enumerations and the like."""

from __future__ import annotations

import datetime
import enum
import ipaddress
import pathlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import loops
from scenarios import Asked, Calls, Scenario

COUNT = 100_000
KEYS = 200


class Place(NamedTuple):
    """A tuple with names."""

    x: int
    y: int


@dataclass(frozen=True)
class Frozen:
    """Its hash and equality are Python code that dataclass has made."""

    x: int
    y: int


# Not known to checkers member by member.
_make_enum: Callable[..., Any] = enum.Enum
Color = _make_enum("Color", [f"C{number}" for number in range(KEYS)])


def _each(make: Callable[[int], Any]) -> Callable[[], Calls]:
    return lambda: [make(number) for number in range(KEYS)]


def _row(name: str, make: Callable[[int], Any], asked: float, *, others: bool = True) -> Scenario:
    return Scenario(
        f"key: {name}", loops.POSITIONAL, Asked(asked), keys=_each(make), others=others, count=COUNT, has_floor=False
    )


_DAY, _MOMENT, _NETWORK = datetime.date(2026, 1, 1), datetime.datetime(2026, 1, 1, 12), 10 << 24
_WORDS = ["tamis", "sieve", "cache"]

KEY_SCENARIOS = [
    _row("named tuple, equal", lambda n: Place(n, n + 1), 1.7),
    _row("date, equal", lambda n: _DAY + datetime.timedelta(n), 1.6),
    _row("datetime, equal", lambda n: _MOMENT + datetime.timedelta(hours=n), 1.6),
    _row("timedelta, equal", lambda n: datetime.timedelta(n, 1), 1.6),
    _row("Decimal, equal", lambda n: Decimal(n) / 4, 1.4),
    _row("complex, equal", lambda n: complex(n, 1), 2.0),
    _row("frozenset, equal", lambda n: frozenset([n, *_WORDS]), 1.6),
    _row("UUID, equal", lambda n: uuid.UUID(int=n), 1.15),
    _row("Path, equal", lambda n: pathlib.PurePosixPath(f"/tmp/{n}"), 1.15),
    _row("IPv4Address, equal", lambda n: ipaddress.IPv4Address(_NETWORK + n), 1.15),
    _row("frozen dataclass, equal", lambda n: Frozen(n, n + 1), 1.25),
    _row("frozen dataclass, the very objects", lambda n: Frozen(n, n + 1), 1.6, others=False),
    _row("Enum member", lambda n: Color(n + 1), 6.0, others=False),
    _row("tuple of two, equal", lambda n: (n, n + 1), 2.2),
    _row("nested tuple, equal", lambda n: (n, (n, "x")), 2.2),
    _row("int above 2**60, equal", lambda n: (1 << 64) + n, 1.8),
    _row("bytes, equal", lambda n: b"key-%06d" % n, 2.0),
    _row("str of 100, equal", lambda n: f"{n:0100d}", 1.6),
    _row("str not ASCII, equal", lambda n: f"\N{LATIN SMALL LETTER E WITH ACUTE}{n:06d}", 1.8),
]
