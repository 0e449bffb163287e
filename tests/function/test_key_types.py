"""Keys of types that are compared in place, subclasses of them, and enumerations: who meets whom is as in functools."""

from __future__ import annotations

import datetime
import enum
import functools
import gc
import itertools
import sys
from dataclasses import dataclass
from decimal import Decimal, getcontext
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tamis


class Place(NamedTuple):
    x: object
    y: object


class Words(tuple):
    __slots__ = ()


class Loud(tuple):
    __slots__ = ()

    def __eq__(self, other):
        return isinstance(other, Loud) and tuple(self) == tuple(other)

    __hash__ = tuple.__hash__


class Int(int):
    pass


class Str(str):
    __slots__ = ()


class Float(float):
    pass


class Bytes(bytes):
    pass


class Day(datetime.date):
    pass


class Moment(datetime.datetime):
    pass


class Money(Decimal):
    pass


class Set(frozenset):
    pass


class Color(enum.Enum):
    RED = 1
    GREEN = 2


class Number(enum.IntEnum):
    ONE = 1
    TWO = 2


class Flags(enum.Flag):
    A = 1
    B = 2


class Named(str, enum.Enum):
    A = "a"
    B = "b"


@dataclass(frozen=True)
class Frozen:
    x: object


UTC, EAST = datetime.timezone.utc, datetime.timezone(datetime.timedelta(hours=2))
ATOMS = [
    0, 1, -1, -2, 2**61, 2**61 - 1, -(2**61), 2**90, 2**200, True, False, 0.0, -0.0, 1.0, 0.5, float("inf"), None,
    "", "a", "b", "\xe4", "\u20ac", b"", b"a", 1 + 0j, 1j, -0j, complex(0.5, -2),
    Int(1), Int(2**61), Str("a"), Str("\xe4"), Float(1.0), Float(0.5), Bytes(b"a"),
    Color.RED, Color.GREEN, Number.ONE, Number.TWO, Flags.A, Flags.A | Flags.B, Named.A, Named.B,
    datetime.date(2026, 1, 1), datetime.date(2026, 1, 2), Day(2026, 1, 1),
    datetime.datetime(2026, 1, 1), Moment(2026, 1, 1), datetime.datetime(2026, 1, 1, fold=1),
    datetime.datetime(2026, 1, 1, 12, tzinfo=UTC), datetime.datetime(2026, 1, 1, 14, tzinfo=EAST),
    datetime.time(12), datetime.time(12, tzinfo=UTC), datetime.time(14, tzinfo=EAST),
    datetime.timedelta(1), datetime.timedelta(hours=24), datetime.timedelta(2), UTC, EAST,
    Decimal(1), Decimal("1.0"), Decimal("1.00"), Decimal("-0"), Decimal(0), Decimal("NaN"), Decimal("Infinity"),
    Decimal("0.5"), Money(1), Decimal(10) ** 60, Decimal("-12.5"),
]  # fmt: skip
KEYS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.lists(inner, max_size=3).map(Words),
        st.lists(inner, max_size=3).map(Loud),
        st.lists(inner, max_size=4).map(frozenset),
        st.lists(inner, max_size=4).map(Set),
        st.tuples(inner, inner).map(lambda pair: Place(*pair)),
        inner.map(Frozen),
    ),
    max_leaves=6,
)


def copied(key):
    """An equal object of the same types that is another one, where there is such a thing."""
    if isinstance(key, Place):
        return Place(*map(copied, key))
    if isinstance(key, tuple | frozenset):
        return type(key)([copied(item) for item in key])
    if isinstance(key, Frozen):
        return Frozen(copied(key.x))
    if isinstance(key, enum.Enum | datetime.timezone) or key is None or isinstance(key, bool):
        return key
    if isinstance(key, datetime.datetime):
        return key.replace()
    if isinstance(key, datetime.date):
        return type(key)(key.year, key.month, key.day)
    if isinstance(key, datetime.time):
        return key.replace()
    if isinstance(key, datetime.timedelta):
        return datetime.timedelta(key.days, key.seconds, key.microseconds)
    if isinstance(key, Decimal):
        return type(key)(str(key))
    if isinstance(key, str):
        return type(key)("".join(list(key)))
    if isinstance(key, bytes):
        return type(key)(bytearray(key))
    if isinstance(key, complex):
        return complex(key.real, key.imag)
    if isinstance(key, float):
        return type(key)(repr(float(key)))
    return type(key)(str(int(key)))


def hits(module, calls, typed):
    """Which calls are hits."""
    function = module.lru_cache(maxsize=None, typed=typed)(lambda *args: None)
    found = []
    for args in calls:
        before = function.cache_info().hits
        function(*args)
        found.append(function.cache_info().hits > before)
    return found


@given(keys=st.lists(KEYS, min_size=2, max_size=8), typed=st.booleans(), beside=st.booleans())
def test_calls_share_an_entry_exactly_where_they_do_in_functools(keys, typed, beside):
    calls = [(key, "beside") if beside else (key,) for key in [*keys, *map(copied, keys)]]
    assert hits(tamis, calls, typed) == hits(functools, calls, typed)


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize(
    "wrap", [lambda x: (x,), lambda x: (x, "beside"), lambda x: ((x,),), lambda x: (frozenset([x]),)]
)
def test_every_two_of_these_meet_as_in_functools(typed, wrap):
    for a, b in itertools.product(ATOMS, repeat=2):
        calls = [wrap(a), wrap(copied(b))]
        assert hits(tamis, calls, typed) == hits(functools, calls, typed), (a, b)


def test_class_that_gets_an_eq_later_is_compared_by_it():
    class Late:
        def __init__(self, x):
            self.x = x

        def __hash__(self):
            return hash(self.x)

    f = tamis.cache(lambda x: object())
    first = f(Late(1))
    assert f(Late(1)) is not first
    Late.__eq__ = lambda self, other: isinstance(other, Late) and self.x == other.x
    assert f(Late(1)) in (first, f(Late(1)))
    assert f(Late(1)) is f(Late(1))


def test_tuple_class_that_gets_an_eq_later_is_compared_by_it():
    class Never(tuple):
        __slots__ = ()
        __hash__ = tuple.__hash__

    f = tamis.cache(lambda x: object())
    assert f(Never((1, 2))) is f(Never((1, 2)))
    Never.__eq__ = lambda self, other: False
    assert f(Never((1, 2))) is not f(Never((1, 2)))


def test_enumeration_whose_hash_is_replaced_is_hashed_by_the_new_one():
    class Shade(enum.Enum):
        DARK = 1
        LIGHT = 2

    calls = []

    def other_hash(self):
        calls.append(self)
        return 7

    f = tamis.cache(lambda x: object())
    first = f(Shade.DARK)
    assert f(Shade.DARK) is first
    Shade.__hash__ = other_hash
    assert f(Shade.DARK) is not first
    assert calls == [Shade.DARK]
    assert f(Shade.DARK) is f(Shade.DARK)
    assert f(Shade.LIGHT) is not f(Shade.DARK)


def test_members_meet_what_equals_them_and_has_their_hash():
    class Pretends:
        def __hash__(self):
            return hash("RED")

        def __eq__(self, other):
            return other is Color.RED

    for caches in (tamis, functools):
        f = caches.cache(lambda x: object())
        assert f(Color.RED) is f(Pretends())


def test_enumeration_that_has_its_own_names_is_hashed_as_python_does():
    class Odd(enum.Enum):
        A = 1

        def __init__(self, value):
            self.hashed = 0

        def __hash__(self):
            self.hashed += 1
            return 5

    f = tamis.cache(lambda x: object())
    before = Odd.A.hashed
    assert f(Odd.A) is f(Odd.A)
    assert Odd.A.hashed == before + 2


def test_time_zone_in_python_that_clears_the_cache_is_asked_outside_of_it():
    class Zone(datetime.tzinfo):
        def utcoffset(self, moment):
            f.cache_clear()
            return datetime.timedelta(hours=1)

        def dst(self, moment):
            return None

    f = tamis.cache(lambda x: object())
    for _ in range(20):
        a = datetime.datetime(2026, 1, 1, 12, tzinfo=Zone())
        b = datetime.datetime(2026, 1, 1, 12, tzinfo=Zone())
        f(a)
        f(b)
    assert f.cache_info().currsize <= 1


def test_signaling_nan_raises_as_it_does_in_functools():
    for caches in (tamis, functools):
        f = caches.cache(lambda x: object())
        with pytest.raises(TypeError):
            f(Decimal("sNaN"))


def test_decimals_of_other_precision_meet():
    f = tamis.cache(lambda x: object())
    getcontext().prec = 28
    assert f(Decimal("1.10")) is f(Decimal("1.1"))
    assert f(Decimal("1e2")) is f(Decimal(100))
    assert f(Decimal("-0.0")) is f(Decimal(0))


def test_frozensets_of_many_sizes_meet_their_equals():
    f = tamis.cache(lambda x: object())
    for size in range(200):
        items = [f"{number:03d}" for number in range(size)]
        assert f(frozenset(items)) is f(frozenset(reversed(items)))
        assert f(frozenset(items)) is not f(frozenset([*items[1:], "other"]))


def test_comparing_leaks_nothing():
    f = tamis.cache(lambda x: None)
    keys = [key for key in ATOMS if not isinstance(key, int | str | bytes | None)]
    for key in keys:
        f(key)
    counted = [copied(key) for key in keys]
    for key in counted:
        f(key)  # not a number: each is a key of its own
    before = [sys.getrefcount(key) for key in counted]
    for _ in range(10):
        for key in counted:
            f(key)
    gc.collect()
    assert [sys.getrefcount(key) for key in counted] == before
