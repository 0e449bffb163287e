"""Calls of shared caches, in one process: what is a hit, what makes the key, and which options say so."""

from __future__ import annotations

import decimal
import math
from functools import partial

import pytest

from helpers.marks import for_shared_caches, has_two_functions_of_one_name
from helpers.region_tools import Colour, Unserializable, counted
from tamis import lru_cache

pytestmark = [for_shared_caches, has_two_functions_of_one_name]


def test_second_call_is_a_hit(shared):
    g = counted()
    f = shared(maxsize=10)(g)
    for _ in range(3):
        assert f(1, "a", b=2.5) == ((1, "a"), (("b", 2.5),))
    assert len(g.calls) == 1
    assert f.cache_info() == (2, 1, 10, 1)
    assert f.cache_parameters()["backend"] == "shared"
    assert f.__wrapped__ is g


@pytest.mark.parametrize(
    "value", [None, 0, 1 << 100, 2.5, 1j, True, "text é", b"bytes", (1, ("a", None)), frozenset([1, "a"])], ids=repr
)
def test_hit_on_an_immutable_value_returns_one_object(shared, value):
    g = counted(lambda key: value)
    f = shared()(g)
    f(1)
    first = f(1)
    assert first == value
    assert type(first) is type(value)
    assert f(1) is first
    assert len(g.calls) == 1


@pytest.mark.parametrize("make", [list, dict, set, bytearray, lambda: ([],), decimal.Decimal, lambda: [Colour.RED]])
def test_hit_on_a_mutable_value_returns_a_fresh_copy(shared, make):
    g = counted(lambda key: make())
    f = shared()(g)
    first, second, third = f(1), f(1), f(1)
    assert first == second == third
    assert second is not third
    assert second is not first
    assert len(g.calls) == 1


def test_change_of_a_returned_value_changes_no_entry(shared):
    f = shared()(lambda: {"a": [1]})
    for _ in range(3):
        value = f()
        assert value == {"a": [1]}
        value["a"].append(2)
        value["b"] = 3


@pytest.mark.parametrize(
    "keys",
    [
        (1.0, True, complex(1, 0)),
        (0.0, -0.0, False),
        ((1, "a"), (1.0, "a"), (True, "a")),
        ((2**70,), (float(2**70),)),
        (float(2**70), complex(2**70)),
        (frozenset([1, 2]), frozenset([2.0, 1.0])),
    ],
    ids=repr,
)
@pytest.mark.parametrize("turned", [False, True])
def test_equal_arguments_meet(shared, keys, turned):
    g = counted(lambda key: "value")
    f = shared()(g)
    for key in reversed(keys) if turned else keys:
        f(key)
        f(key)
    assert len(g.calls) == 1


def test_lone_int_or_str_meets_nothing_of_another_type(shared):
    f = shared()(lambda key: type(key).__name__)
    for _ in range(2):
        for key in (1, 1.0, 2**70, float(2**70), 0, False, "a", Colour.RED):
            assert f(key) == type(key).__name__
    assert f.cache_info()[:2] == (8, 8)


def test_equal_arguments_do_not_meet_where_the_cache_is_typed(shared):
    f = shared(typed=True)(lambda key: repr(key))
    for _ in range(2):
        assert [f(key) for key in (1, 1.0, True, 1 + 0j)] == ["1", "1.0", "True", "(1+0j)"]
    assert f.cache_info()[:2] == (4, 4)


def test_subclasses_keep_their_type(shared):
    f = shared()(lambda key: type(key).__name__)
    for _ in range(2):
        for order in ([1, Colour.RED], [Colour.RED, 1]):
            assert [f(key) for key in order] == [type(key).__name__ for key in order]
    assert f.cache_info().currsize == 2


def test_shapes_of_calls_never_meet(shared):
    f = shared()(lambda *args, **kwargs: (args, tuple(kwargs.items())))
    for _ in range(2):
        assert f(1, a=2) == ((1,), (("a", 2),))
        assert f((1,), ("a", 2)) == (((1,), ("a", 2)), ())
        assert f(1, "a", 2) == ((1, "a", 2), ())
        assert f() == ((), ())
        assert f(()) == (((),), ())
        assert f(a=1, b=2) == ((), (("a", 1), ("b", 2)))
        assert f(b=2, a=1) == ((), (("b", 2), ("a", 1)))


def test_arguments_need_bytes_and_no_hash(shared):
    g = counted(len)
    f = shared()(g)
    assert [f([1, 2]), f([1, 2]), f({"a": 1})] == [2, 2, 1]
    assert len(g.calls) == 2


def test_nan_is_found_again(shared):
    g = counted(math.isnan)
    f = shared()(g)
    assert [f(float("nan")), f(float("nan")), f(math.nan)] == [True, True, True]
    assert len(g.calls) == 1


def test_argument_that_cannot_be_serialized_is_a_type_error(shared):
    g = counted()
    f = shared()(g)
    for call in (f, f.cache_contains, f.cache_invalidate, f.cache_refresh, partial(f.cache_put, 1)):
        with pytest.raises(TypeError, match="Unserializable"):
            call(Unserializable())
    assert not g.calls


def test_exception_of_the_function_is_not_stored(shared):
    f = shared()(lambda x: 1 / x)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            f(0)
    assert f.cache_info() == (0, 2, 128, 0)


def test_function_may_call_its_own_cache(shared):
    f = shared(maxsize=None)(lambda n: n if n < 2 else f(n - 1) + f(n - 2))
    assert f(50) == 12586269025
    assert f.cache_info().misses == 51


def test_key_and_ignore_make_the_key(shared, tmp_path):
    @shared(ignore="verbose")
    def f(x, verbose=False):
        return x, verbose

    assert [f(1), f(1, True), f(1, verbose=2)] == [(1, False)] * 3
    h = counted(lambda x: x)
    e = lru_cache(backend="shared", path=tmp_path, name="key", key=lambda x: x % 10)(h)
    assert [e(1), e(11), e(2)] == [1, 1, 2]


def test_copy_is_applied_to_whatever_is_returned(shared):
    f = shared(copy=lambda value: [value])(lambda x: x)
    assert [f(1), f(1), f(1)] == [[1], [1], [1]]
