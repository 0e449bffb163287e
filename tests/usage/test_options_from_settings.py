"""Options that come from a program's settings: None where nothing is set, and numbers of whatever type."""

from __future__ import annotations

import decimal
import fractions

import pytest

from helpers.marks import for_shared_caches
from helpers.option_tools import Time
from tamis import SieveCache, cache, cached_method, lru_cache

OPTIONS = [
    *("ttl", "tti", "jitter", "stale", "key", "ignore", "single_flight", "weigher", "maxweight", "on_evict", "copy"),
    *("clock", "backend", "name", "path", "max_bytes", "serializer"),
]


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("decorator", [lru_cache, cache, cached_method])
def test_option_that_is_none_was_not_given(decorator, name):
    class Holder:
        @decorator(**{name: None})
        def method(self, x):
            return [x]

    assert cache(len, **{name: None}).cache_parameters() == {"maxsize": None, "typed": False}
    holder = Holder()
    assert holder.method(1) is holder.method(1)
    assert holder.method(1) is not holder.method(2)


def test_all_options_may_be_none_at_once():
    everything = dict.fromkeys(OPTIONS)
    f = lru_cache(maxsize=3, typed=True, **everything)(lambda x: [x])
    assert f.cache_parameters() == {"maxsize": 3, "typed": True}
    assert f(1) is f(1)

    @lru_cache(**everything)
    async def g(x):
        return x

    assert g.cache_parameters() == {"maxsize": 128, "typed": False}


@for_shared_caches
def test_options_of_a_shared_cache_may_be_none(tmp_path):
    others = {name: None for name in OPTIONS if name not in ("backend", "path", "max_bytes")}
    f = lru_cache(backend="shared", path=tmp_path, max_bytes=1 << 18, **others)(len)
    assert f("ab") == f("ab") == 2
    assert set(f.cache_parameters()) == {"maxsize", "typed", "backend", "path", "max_bytes"}


def test_options_of_a_mapping_may_be_none():
    c = SieveCache(None, ttl=None, weigher=None, maxweight=None, on_evict=None)
    c["a"] = 1
    assert c["a"] == 1
    assert c.maxsize is None
    with pytest.raises(ValueError, match="weigher and maxweight"):
        SieveCache(3, weigher=None, maxweight=5)


class Index:
    """An int to Python, and of no type that anybody knows."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


class Float(Index):
    __index__ = None

    def __float__(self):
        return float(self.value)


def numbers(value):
    made = [value, float(value), Index(value), Float(value), decimal.Decimal(value), fractions.Fraction(value)]
    try:
        import numpy
    except ImportError:
        return made
    kinds = (numpy.int64, numpy.uint32, numpy.float32, numpy.float64, numpy.array)
    return [*made, *(kind(value) for kind in kinds)]


NUMBERS = pytest.mark.parametrize("number", numbers(3), ids=lambda number: type(number).__name__)


@NUMBERS
@pytest.mark.parametrize("option", ["ttl", "tti"])
def test_time_may_be_any_number(number, option):
    time = Time()
    f = cache(**{option: number}, clock=time)(lambda x: [x])
    first = f(1)
    time.now += 2.9
    assert f.cache_contains(1)
    time.now += 0.1
    assert f(1) is not first
    assert f.cache_parameters()[option] is number


@NUMBERS
def test_answers_of_callables_may_be_any_number(number):
    time = Time()
    f = cache(ttl=lambda value: number, weigher=lambda value: number, maxweight=number, clock=time)(lambda x: [x])
    first = f(1)
    assert f.cache_stats()["weight"] == 3
    time.now += 2.9
    assert f(1) is first
    time.now += 0.1
    assert f(1) is not first
    c = SieveCache(3, ttl=lambda value: number, weigher=lambda value: number, maxweight=number)
    c["a"] = 1
    c["b"] = 2
    assert list(c) == ["b"]
    assert c.copy().stats()["weight"] == 3


@NUMBERS
def test_clock_may_answer_any_number(number):
    f = cache(ttl=1, clock=lambda: number)(lambda x: [x])
    assert f(1) is f(1)


@NUMBERS
def test_jitter_and_stale_may_be_any_number(number):
    assert cache(ttl=10, stale=number)(len)("ab") == 2
    with pytest.raises(ValueError, match="jitter takes a fraction"):
        cache(ttl=10, jitter=number)
    assert cache(ttl=10, jitter=type(number)(1) if type(number).__name__ != "ndarray" else number / 3)(len)("ab") == 2


@for_shared_caches
@pytest.mark.parametrize("number", numbers(1 << 18), ids=lambda number: type(number).__name__)
def test_size_of_a_region_may_be_any_number(tmp_path, number):
    f = cache(backend="shared", path=tmp_path, max_bytes=number)(len)
    assert f("ab") == 2


def test_maxsize_may_be_any_int_but_no_float_as_in_functools():
    for number in numbers(3):
        if hasattr(type(number), "__index__") and type(number).__index__ is not None and type(number) is not float:
            for decorator in (lru_cache, cache, cached_method):
                assert decorator(maxsize=number)
            assert lru_cache(number)(len).cache_parameters()["maxsize"] == 3
            assert SieveCache(number).maxsize == 3
        else:
            with pytest.raises(TypeError, match="maxsize"):
                lru_cache(maxsize=number)


@pytest.mark.parametrize("option", ["ttl", "tti", "stale", "jitter", "maxweight"])
def test_bools_dates_and_text_are_no_numbers(option):
    numpy = pytest.importorskip("numpy", reason="numpy is not installed for this interpreter")
    needs = {"stale": {"ttl": 1}, "jitter": {"ttl": 1}, "maxweight": {"weigher": len}}.get(option, {})
    no_numbers = [
        True,
        "1",
        b"1",
        1j,
        numpy.bool_(True),
        numpy.str_("1"),
        numpy.timedelta64(5, "m"),
        numpy.array([1, 2]),
    ]
    for value in [*no_numbers, numpy.array(True), numpy.datetime64("2026-01-01"), numpy.complex64(1)]:
        with pytest.raises(TypeError, match=f"{option} takes"):
            cache(**{option: value}, **needs)


def test_callable_with_a_number_inside_is_called():
    from unittest.mock import MagicMock

    ttl = MagicMock(return_value=5)
    f = cache(ttl=ttl)(lambda x: x)
    assert f(3) == f(3) == 3
    ttl.assert_called_once_with(3)


def test_numbers_that_fail_say_which_option():
    class Broken:
        def __float__(self):
            raise TypeError("not today")

        __index__ = __float__

    for option in ("ttl", "tti"):
        with pytest.raises(TypeError, match=f"{option} takes"):
            cache(**{option: Broken()})

    class Odd(Broken):
        def __float__(self):
            raise LookupError

        __index__ = __float__

    with pytest.raises(LookupError):
        cache(ttl=Odd())
