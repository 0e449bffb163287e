"""The counts and the entries of cached functions, and the methods for a single entry."""

from __future__ import annotations

import functools
import gc
import pickle
import weakref
from typing import Any

import pytest

import tamis
from helpers.key_tools import EVERY_MAXSIZE, echo
from helpers.method_tools import CallableWithoutName
from tamis import cache, lru_cache


def contents(function: Any, *keys: Any) -> list[Any]:
    """Return those of the keys for which there are entries."""
    return [key for key in keys if function.cache_contains(key)]


def test_cache_info_is_a_named_tuple_as_in_functools():
    info = lru_cache(maxsize=3)(echo).cache_info()
    theirs = functools.lru_cache(maxsize=3)(echo).cache_info()
    assert type(info) is tamis.CacheInfo
    assert info == theirs
    assert (info._fields, repr(info)) == (theirs._fields, repr(theirs))
    assert (tamis.CacheInfo.__name__, tamis.CacheInfo.__module__) == ("CacheInfo", "tamis")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(info, protocol))
        assert (type(again), again) == (tamis.CacheInfo, info)


def test_contains_invalidate_put_and_refresh_count_nothing():
    function = lru_cache(maxsize=4)(echo)
    function(1)
    function(1)
    function.cache_contains(1)
    function.cache_contains(2)
    function.cache_put("put", 2)
    function.cache_refresh(3)
    function.cache_invalidate(3)
    function.cache_invalidate(4)
    assert function.cache_info() == (1, 1, 4, 2)


def test_contains_tells_whether_there_is_an_entry():
    function = lru_cache(maxsize=4)(echo)
    assert function.cache_contains(1, a=2) is False
    function(1, a=2)
    assert function.cache_contains(1, a=2) is True
    assert function.cache_contains(1, 2) is False


def test_contains_does_not_mark_the_entry_as_used():
    function = lru_cache(maxsize=2)(echo)
    function(1)
    function(2)
    assert function.cache_contains(1)
    function(3)
    assert contents(function, 1, 2, 3) == [2, 3]


def test_invalidate_drops_one_entry_and_tells_whether_it_was_there():
    function = lru_cache(maxsize=4)(echo)
    function(1)
    function(2)
    assert function.cache_invalidate(1) is True
    assert function.cache_invalidate(1) is False
    assert contents(function, 1, 2) == [2]


def test_put_stores_a_value_that_calls_then_return():
    function = lru_cache(maxsize=4)(echo)
    assert function.cache_put("stored", 1, a=2) is None
    assert function(1, a=2) == "stored"
    assert function.cache_info() == (1, 0, 4, 1)


@pytest.mark.parametrize("maxsize", [1, 4, None])
def test_put_on_an_existing_key_replaces_the_value_and_drops_the_old_one(maxsize):
    function = lru_cache(maxsize=maxsize)(echo)
    old = CallableWithoutName()
    gone = weakref.ref(old)
    function.cache_put(old, 1)
    del old
    function.cache_put("new", 1)
    gc.collect()
    assert gone() is None
    assert (function(1), function.cache_info().currsize) == ("new", 1)


def test_put_takes_its_value_by_position_alone_so_that_no_keyword_is_taken_away():
    function = lru_cache(maxsize=4)(echo)
    function.cache_put("stored", value=1)
    assert function(value=1) == "stored"
    with pytest.raises(TypeError, match="value"):
        function.cache_put()
    with pytest.raises(TypeError, match="value"):
        function.cache_put(value=1)


@pytest.mark.parametrize("maxsize", [4, None])
def test_refresh_calls_the_function_and_stores_what_it_returns(maxsize):
    results = iter(range(10))
    function = lru_cache(maxsize=maxsize)(lambda _x: next(results))
    assert function("a") == 0
    assert function.cache_refresh("a") == 1
    assert function.cache_refresh("b") == 2
    assert (function("a"), function("b")) == (1, 2)


def test_a_refresh_that_fails_leaves_the_old_entry():
    divisors = [5, 0]
    function = cache(lambda x: x // divisors.pop(0))
    assert function(10) == 2
    with pytest.raises(ZeroDivisionError):
        function.cache_refresh(10)
    assert (function(10), divisors) == (2, [])


def test_maxsize_zero_stores_nothing_and_hashes_nothing():
    function = lru_cache(maxsize=0)(echo)
    function.cache_put("stored", 1)
    assert function.cache_refresh(1) == function(1) == ((1,), {})
    assert function([]) == (([],), {})
    assert not function.cache_contains(1)
    assert function.cache_invalidate(1) is False
    assert function.cache_info() == (0, 2, 0, 0)


def test_clear_drops_everything_and_zeroes_the_counts():
    function = lru_cache(maxsize=4)(echo)
    function(1)
    function(1)
    assert function.cache_clear() is None
    assert (function.cache_info(), contents(function, 1)) == ((0, 0, 4, 0), [])


@EVERY_MAXSIZE
def test_none_is_stored_like_any_value(maxsize):
    calls = []
    function = lru_cache(maxsize=maxsize)(calls.append)
    assert function(1) is None
    assert function(1) is None
    assert calls == [1]


@EVERY_MAXSIZE
@pytest.mark.parametrize("error", [IndexError("x"), StopIteration(3), KeyboardInterrupt(), GeneratorExit()])
def test_exceptions_of_the_function_pass_unchanged_and_are_not_stored(maxsize, error):
    function = lru_cache(maxsize=maxsize)(raising(error))
    for misses in (1, 2):
        with pytest.raises(type(error)) as raised:
            function(1)
        assert raised.value is error
        assert error.__context__ is None
        assert function.cache_info() == (0, misses, maxsize, 0)


@EVERY_MAXSIZE
def test_a_recursion_too_deep_is_a_recursion_error_and_stores_nothing_of_it(maxsize):
    @lru_cache(maxsize=maxsize)
    def down(depth: int) -> int:
        return down(depth - 1) if depth else 0

    with pytest.raises(RecursionError):
        down(1_000_000)
    assert down.cache_info().currsize == 0
    assert down(20) == 0


def raising(error: BaseException) -> Any:
    def function(*_args: Any) -> Any:
        raise error

    return function


def test_refresh_of_what_cannot_be_stored_does_not_call_the_function():
    calls = []
    function = tamis.lru_cache(calls.append)
    with pytest.raises(TypeError, match="unhashable"):
        function.cache_refresh([1])
    assert calls == []
    uncached = tamis.lru_cache(maxsize=0)(calls.append)
    uncached.cache_refresh([1])
    assert calls == [[1]]
