"""The bytes of keys in shared caches: which arguments have one key."""

from __future__ import annotations

import copy
import decimal
import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.codec_tools import FLOATS, NAN, key, values
from helpers.region_tools import Colour, Point, Text
from helpers.subprocess_tools import run_function
from tamis import _core

BIG = 10**300


NUMBERS = [
    *(0, 1, -1, 2, 127, 128, 255, 1 << 53, (1 << 53) + 1, 1 << 62, (1 << 63) - 1, 1 << 63, -(1 << 63), 1 << 64, BIG),
    *(
        True,
        False,
        0.0,
        -0.0,
        1.0,
        0.5,
        -0.5,
        127.0,
        128.0,
        float(1 << 53),
        float(1 << 63),
        -float(1 << 63),
        float(BIG),
        int(float(BIG)),
    ),
    *(1.7976931348623157e308, int(1.7976931348623157e308), 5e-324, math.inf, -math.inf, 9.2e18, 9.3e18, -9.3e18),
    *(
        0j,
        1 + 0j,
        complex(1, -0.0),
        complex(-0.0, 1),
        complex(0, 1),
        complex(0.5, 0),
        complex(1, 2),
        complex(BIG, 0),
        complex(-0.0, -0.0),
    ),
]


@pytest.mark.parametrize("wrap", [lambda x: (x,), lambda x: ("a", (x, None)), lambda x: frozenset([x, "z"])], ids="abc")
def test_numbers_meet_exactly_where_they_are_equal(wrap):
    for a in NUMBERS:
        for b in NUMBERS:
            assert (key(wrap(a)) == key(wrap(b))) == (a == b), (a, b)


@given(st.floats(allow_nan=False))
def test_integral_float_meets_its_integer(value):
    assert key(value) == key(complex(value))
    if value.is_integer():
        assert key(value, None) == key(int(value), None)
        assert key(value, None) != key(int(value) + 1, None)


def test_lone_int_and_str_have_keys_of_their_own():
    for a, b in itertools.product([*NUMBERS, "a", Text("a"), Colour.RED], repeat=2):
        own = [type(x) in (int, str) for x in (a, b)]
        assert (key(a) == key(b)) is (own[0] == own[1] and key((a,)) == key((b,))), (a, b)


@given(values(keys_only=True), values(keys_only=True))
def test_keys_meet_exactly_where_values_are_equal(a, b):
    if "nan" not in repr((a, b)):
        assert (key((a,)) == key((b,))) == (a == b)
    assert key(a) == key(copy.deepcopy(a))
    assert key(a, b) == key(copy.deepcopy(a), copy.deepcopy(b))


def test_nans_meet_where_their_bits_are_the_same():
    assert key(NAN) == key(float("nan"))
    assert key(NAN) != key(FLOATS[-1])


def test_complex_nan_is_no_float():
    assert key(complex(NAN, 0.0)) != key(NAN)
    assert key(complex(NAN, 0.0)) == key(complex(NAN, 0.0))


def test_shapes_of_calls_never_meet():
    calls = [
        *(key(), key(1), key(1, 2), key((1, 2)), key((1,), 2), key(1, a=2), key((1,), ("a", 2)), key(1, "a", 2)),
        *(key(a=1, b=2), key(b=2, a=1), key(("a", 1)), key("1"), key(b"1"), key(None), key("None"), key(())),
        *(key(frozenset()), key(1, typed=True), key(1.0, typed=True), key(True, typed=True), key("", "")),
        *(key("a", ""), key("", "a"), key("é"), key("é".encode()), key(frozenset("ab")), key(("a", "b")), key("ab")),
    ]
    assert len(set(calls)) == len(calls)


def test_subclasses_keep_their_type():
    assert key(Colour.RED) != key(1)
    assert key(Text("a")) != key("a")
    assert key(Point(1, 2)) != key((1, 2))
    assert key((Colour.RED,)) != key((1,))
    assert key(Colour.RED) == key(Colour(1))
    assert key(decimal.Decimal(1)) == key(decimal.Decimal(1)) != key(1)


def test_types_count_where_the_cache_is_typed():
    assert key(1, typed=True) != key(1.0, typed=True)
    assert key(a=1, typed=True) != key(a=True, typed=True)
    assert key(1, typed=True) == key(1, typed=True)


def test_frozensets_meet_whatever_the_order_of_their_items():
    items = [f"item {number}" for number in range(100)]
    shuffled = random.Random(1).sample(items, len(items))
    assert key(frozenset(items)) == key(frozenset(shuffled))


class Exhausting:
    def __init__(self, error):
        self.error = error

    def __reduce__(self):
        raise self.error


@pytest.mark.parametrize("error", [MemoryError, RecursionError, KeyboardInterrupt])
def test_want_of_memory_or_stack_while_a_key_is_made_is_passed_on(error):
    with pytest.raises(error) as caught:
        key(Exhausting(error("here")))
    assert caught.value.args == ("here",)


def test_argument_that_cannot_be_serialized_is_a_type_error_that_says_why():
    with pytest.raises(TypeError, match="argument of type function has none") as caught:
        key(lambda: None)
    assert caught.value.__cause__ is not None


def test_call_is_read_back_from_its_key():
    assert _core._call(key(1, "a", b=(2.5, None))) == ((1, "a"), (("b", (2.5, None)),))
    assert _core._call(key(decimal.Decimal(1))) == (("<decimal.Decimal>",), ())
    assert _core._call(b"") is None


def test_keys_are_the_same_in_every_process():
    def show() -> None:
        from tamis import _core

        names = frozenset(f"name {number}" for number in range(50))
        print(_core._key((names, (1, names), b"x", "é", 2.5, frozenset([names])), {"a": 1, "b": names}, True).hex())

    seen = {run_function(show, environment={"PYTHONHASHSEED": seed}) for seed in ("0", "1", "random")}
    assert len(seen) == 1
