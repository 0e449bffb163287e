"""Caches whose entries processes share: the contract, in one process."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import enum
import errno
import gc
import inspect
import json
import math
import os
import pickle
import sys
import threading
import time
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from helpers.marks import for_shared_caches, has_two_functions_of_one_name
from helpers.subprocess_tools import run_child, run_function
from tamis import cache, cached_method, lru_cache
from tamis._identity.region_name import region_name

pytestmark = [
    for_shared_caches,
    has_two_functions_of_one_name,
]


class Colour(enum.IntEnum):
    RED = 1


class Unserializable:
    def __reduce__(self):
        raise ValueError("not this one")


@pytest.fixture
def shared(tmp_path):
    """lru_cache over a region of the test's own."""
    return partial(lru_cache, backend="shared", path=tmp_path, name="test", max_bytes=1 << 20)


def counted(function=None):
    """A function that notes its calls."""
    calls = []

    def f(*args, **kwargs):
        calls.append((args, kwargs))
        return function(*args, **kwargs) if function else (args, tuple(kwargs.items()))

    f.calls = calls
    return f


# ---- calls ----------------------------------------------------------------------------------------------------------


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


def test_entries_never_exceed_maxsize(shared):
    f = shared(maxsize=7)(lambda x: x)
    for x in range(100):
        f(x)
        assert f.cache_info().currsize == min(x + 1, 7)
    assert f.cache_stats()["evictions"] == 93
    # A near cache holds no value that the region has evicted.
    g = counted(lambda x: x)
    again = shared(maxsize=7)(g)
    assert [again(x) for x in range(100)] == list(range(100))


def test_maxsize_0_stores_nothing_and_opens_nothing(tmp_path):
    f = lru_cache(maxsize=0, backend="shared", path=tmp_path, name="none")(lambda x: x)
    assert f(1) == f(1) == 1
    assert f.cache_info() == (0, 2, 0, 0)
    assert f.cache_stats()["bytes"] == f.cache_stats()["recoveries"] == 0
    assert not list(tmp_path.iterdir())


def test_bytes_bound_the_entries_too(tmp_path):
    f = cache(backend="shared", path=tmp_path, name="small", max_bytes=1 << 18)(lambda x: bytes([x]) * 10_000)
    for x in range(100):
        assert f(x) == bytes([x]) * 10_000
    assert 5 < f.cache_info().currsize < 26
    assert f.cache_stats()["evictions"] == 100 - f.cache_info().currsize
    assert 0 < f.cache_stats()["bytes"] <= 1 << 18


# ---- what can't be stored -------------------------------------------------------------------------------------------


def test_value_that_is_too_large_is_returned_and_not_stored(shared):
    g = counted(lambda x: b"x" * (2 << 20))
    f = shared()(g)
    assert len(f(1)) == len(f(1)) == 2 << 20
    assert len(g.calls) == 2
    assert f.cache_stats()["oversize"] == 2
    assert f.cache_info().currsize == 0


def test_key_that_is_too_large_is_no_error(shared):
    f = shared()(len)
    key = b"x" * (2 << 20)
    assert f(key) == f(key) == 2 << 20
    assert f.cache_stats()["oversize"] == 2
    assert not f.cache_contains(key)
    assert not f.cache_invalidate(key)


def test_value_that_cannot_be_serialized_is_returned_and_warned_of_once(shared):
    f = shared()(lambda x: Unserializable())
    with pytest.warns(RuntimeWarning, match="not this one"):
        assert isinstance(f(1), Unserializable)
    # A second warning would be an error here.
    assert isinstance(f(1), Unserializable)
    assert isinstance(f(2), Unserializable)
    assert f.cache_stats()["unserializable"] == 3
    assert f.cache_info() == (0, 3, 128, 0)


def test_value_that_cannot_be_stored_takes_the_old_one_away(shared):
    f = shared()(lambda x: x)
    f(1)
    f.cache_put(b"x" * (2 << 20), 1)
    assert not f.cache_contains(1)
    f(1)
    with pytest.warns(RuntimeWarning):
        f.cache_put(Unserializable(), 1)
    assert not f.cache_contains(1)


def test_interrupt_while_serializing_leaves_through_the_call(shared):
    class Interrupting:
        def __reduce__(self):
            raise KeyboardInterrupt

    f = shared()(lambda x: Interrupting())
    with pytest.raises(KeyboardInterrupt):
        f(1)


# ---- the serializer -------------------------------------------------------------------------------------------------


class Json:
    def __init__(self):
        self.loaded = 0

    def dumps(self, obj):
        return json.dumps(obj).encode()

    def loads(self, content):
        self.loaded += 1
        return json.loads(content)


def test_serializer_makes_all_values(shared):
    serializer = Json()
    f = shared(serializer=serializer)(lambda x: (x, {"a": None}))
    assert f(1) == (1, {"a": None})
    assert f(1) == f(1) == [1, {"a": None}]
    assert serializer.loaded == 2


def test_module_is_a_serializer(shared):
    f = shared(serializer=pickle)(lambda x: {x})
    assert f(1) == f(1) == {1}


def test_serializer_that_fails_is_as_pickle_that_fails(shared):
    f = shared(serializer=Json())(lambda x: {1, 2})
    with pytest.warns(RuntimeWarning, match="not JSON serializable"):
        assert f("a") == {1, 2}
    assert f.cache_info().currsize == 0


def test_serializer_that_returns_no_bytes_is_an_error(shared):
    f = shared(serializer=json)(lambda x: x)
    with pytest.raises(TypeError, match="serializer takes an object whose dumps"):
        f("a")


def test_entry_that_the_serializer_cannot_load_is_a_miss(shared):
    g = counted(lambda x: x)
    f = shared()(g)
    f("a")
    other = shared(serializer=Json())(g)
    assert other("a") == other("a") == "a"
    assert len(g.calls) == 2


# ---- the entry of one call ------------------------------------------------------------------------------------------


def test_entries_are_looked_for_dropped_put_and_refreshed(shared):
    g = counted(lambda x: f"value {x}")
    f = shared()(g)
    assert not f.cache_contains(1)
    assert f(1) == "value 1"
    assert f.cache_contains(1)
    assert not f.cache_contains(1.0)
    assert f.cache_invalidate(1)
    assert not f.cache_invalidate(1)
    assert not f.cache_contains(1)
    f.cache_put("other", 1)
    assert f(1) == "other"
    f.cache_put("third", 1)
    assert f(1) == "third"
    assert f.cache_refresh(1) == "value 1"
    assert f(1) == "value 1"
    assert len(g.calls) == 2
    assert f.cache_stats()["invalidations"] == 1
    assert f.cache_info() == (3, 1, 128, 1)


def test_clearing_drops_entries_and_counts(shared):
    g = counted(lambda x: x)
    f = shared()(g)
    for x in (1, 2, 1):
        f(x)
    f.cache_clear()
    assert f.cache_info() == (0, 0, 128, 0)
    assert {name: count for name, count in f.cache_stats().items() if count and name != "recoveries"} == {}
    f(1)
    assert len(g.calls) == 3


def test_stats_have_all_names(shared):
    f = shared()(lambda x: x)
    f(1)
    stats = f.cache_stats()
    names = "hits misses evictions expirations invalidations stale_hits coalesced currsize weight"
    assert set(stats) == {*names.split(), "bytes", "oversize", "unserializable", "recoveries"}
    assert stats["bytes"] > 0


# ---- two wrappers of one region -------------------------------------------------------------------------------------


def test_wrappers_of_one_name_share_entries_and_counts(shared):
    g, h = counted(lambda x: "of g"), counted(lambda x: "of h")
    f, e = shared()(g), shared()(h)
    assert f("a") == "of g"
    assert e("a") == f("a") == "of g"
    assert not h.calls
    assert f.cache_info() == e.cache_info() == (2, 1, 128, 1)


@pytest.mark.parametrize("key", [1, "a", (1, "a"), 2.5, b"b", None, frozenset([1]), Colour.RED], ids=repr)
def test_near_cache_sees_what_others_do_at_once(shared, key):
    f, e = shared()(lambda x: "first"), shared()(lambda x: "second")
    assert f(key) == f(key) == e(key) == "first"
    e.cache_put("put", key)
    assert f(key) == "put"
    assert e.cache_invalidate(key)
    assert not f.cache_contains(key)
    assert e(key) == "second"
    assert f(key) == "second"
    e.cache_clear()
    assert f(key) == "first"


def test_near_cache_keeps_no_object_that_is_gone(shared):
    f = shared()(lambda x: (x, "a value of its own"))
    f(1)
    value = f(1)
    f.cache_invalidate(1)
    assert not f.cache_contains(1)
    f.cache_put("b", 1)
    f(1)
    assert not any(
        other is value for other in gc.get_referrers(value) if isinstance(other, dict) and other is not locals()
    )
    assert sys.getrefcount(value) <= 3


# ---- time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["immutable", ["mutable"]])
@pytest.mark.parametrize("ttl", [0.1, datetime.timedelta(seconds=0.1), lambda result: 0.1])
def test_entry_expires(shared, ttl, value):
    g = counted(lambda x: value)
    f = shared(ttl=ttl)(g)
    f(1)
    f(1)
    assert len(g.calls) == 1
    time.sleep(0.12)
    assert not f.cache_contains(1)
    f(1)
    assert len(g.calls) == 2
    assert f.cache_stats()["expirations"] == 1


def test_wrapper_without_ttl_heeds_that_of_another(shared):
    f, e = shared(ttl=0.1)(lambda x: "first"), shared()(lambda x: "second")
    assert f(1) == e(1) == e(1) == "first"
    time.sleep(0.12)
    assert e(1) == "second"


def test_entry_that_is_not_read_for_its_tti_is_dropped(shared):
    g = counted(lambda x: x)
    f = shared(tti=0.3)(g)
    f(1)
    for _ in range(4):
        time.sleep(0.1)
        f(1)
    assert len(g.calls) == 1
    time.sleep(0.35)
    f(1)
    assert len(g.calls) == 2


def test_stale_entry_is_returned_while_one_caller_recomputes(shared):
    results = iter(["first", "second"])
    started, go_on = threading.Event(), threading.Event()

    def compute(x):
        result = next(results)
        if result == "second":
            started.set()
            assert go_on.wait(20)
        return result

    f = shared(ttl=0.05, stale=60)(compute)
    e = shared(ttl=0.05, stale=60)(compute)
    assert f(1) == "first"
    time.sleep(0.07)
    refresher = threading.Thread(target=f, args=(1,))
    refresher.start()
    assert started.wait(20)
    assert [f(1), e(1), f(1)] == ["first"] * 3
    assert f.cache_stats()["stale_hits"] == 3
    go_on.set()
    refresher.join()
    assert f(1) in ("second", "first")
    assert f.cache_refresh is not None


def test_refresh_that_fails_leaves_the_next_to_try(shared):
    calls = []

    def compute(x):
        calls.append(x)
        if len(calls) == 2:
            raise ZeroDivisionError
        return len(calls)

    f = shared(ttl=0.05, stale=60)(compute)
    assert f(1) == 1
    time.sleep(0.07)
    with pytest.raises(ZeroDivisionError):
        f(1)
    assert f(1) == 3


def test_jitter_shortens_each_ttl(shared):
    f = shared(ttl=0.4, jitter=1, maxsize=None)(lambda x: x)
    for x in range(200):
        f(x)
    time.sleep(0.2)
    alive = sum(f.cache_contains(x) for x in range(200))
    assert 0 < alive < 200


# ---- key, ignore, copy ----------------------------------------------------------------------------------------------


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


# ---- single flight --------------------------------------------------------------------------------------------------


def in_threads(count, function):
    results, threads = [], []
    for _ in range(count):
        threads.append(threading.Thread(target=lambda: results.append(function())))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return results


def test_threads_that_miss_together_compute_once(shared):
    def slow(x):
        time.sleep(0.2)
        return [x]

    g = counted(slow)
    f = shared(single_flight=True)(g)
    results = in_threads(6, lambda: f(1))
    assert results == [[1]] * 6
    assert len(g.calls) == 1
    assert len({id(result) for result in results}) == 6
    stats = f.cache_stats()
    assert stats["hits"] + stats["misses"] == 6
    assert stats["misses"] == 1


def test_threads_that_miss_together_on_two_wrappers_of_one_name_compute_once(shared):
    entered, go_on = threading.Event(), threading.Event()

    def function(x):
        entered.set()
        assert go_on.wait(60)
        return x

    g, h = counted(function), counted(function)
    f, e = shared(single_flight=True)(g), shared(single_flight=True)(h)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(f, 1)
        assert entered.wait(60)
        second = pool.submit(e, 1)
        # Long enough, most times, for the second to come to wait; if not, it finds the value.
        time.sleep(0.1)
        go_on.set()
        assert (first.result(60), second.result(60)) == (1, 1)
    assert (len(g.calls), len(h.calls)) == (1, 0)


def test_error_goes_to_all_who_wait_and_to_no_later_caller(shared):
    def slow(x):
        time.sleep(0.2)
        raise ZeroDivisionError

    g = counted(slow)
    f = shared(single_flight=True)(g)

    def call():
        try:
            f(1)
        except ZeroDivisionError:
            return "error"

    assert in_threads(4, call) == ["error"] * 4
    assert len(g.calls) == 1
    assert call() == "error"
    assert len(g.calls) == 2


def test_flight_that_enters_itself_computes_for_itself(shared):
    depth = []

    def compute(x):
        depth.append(x)
        return f(1) if len(depth) < 5 else "deep"

    f = shared(single_flight=True)(compute)
    assert f(1) == "deep"


# ---- coroutine functions --------------------------------------------------------------------------------------------


def test_coroutine_functions_share_their_results(shared):
    calls = []

    async def compute(x):
        calls.append(x)
        await asyncio.sleep(0.05)
        return [x]

    f = shared(maxsize=8)(compute)
    assert inspect.iscoroutinefunction(f)

    async def main():
        results = await asyncio.gather(*(f(1) for _ in range(5)))
        assert results == [[1]] * 5
        assert calls == [1]
        assert await f(1) == [1]
        assert await f.cache_refresh(1) == [1]
        return f.cache_contains(1)

    assert asyncio.run(main())
    assert calls == [1, 1]
    with pytest.raises(StopIteration) as stop:
        f(1).send(None)
    assert stop.value.value == [1]
    assert f.cache_info().currsize == 1


def test_error_of_a_coroutine_is_not_stored(shared):
    async def compute(x):
        raise ZeroDivisionError

    f = shared()(compute)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            asyncio.run(f(1))
    assert f.cache_info() == (0, 2, 128, 0)


def test_stale_result_of_a_coroutine_is_recomputed_by_one(shared):
    calls = []

    async def compute(x):
        calls.append(x)
        return len(calls)

    f = shared(ttl=0.05, stale=60)(compute)
    assert asyncio.run(f(1)) == 1
    time.sleep(0.07)
    pending = f(1)
    assert asyncio.run(f(1)) == 1
    pending.close()
    del pending
    assert asyncio.run(f(1)) == 2


# ---- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"on_evict": print}, ValueError, "on_evict.*shared"),
        ({"weigher": len, "maxweight": 3}, ValueError, "weigher.*shared"),
        ({"clock": time.monotonic}, ValueError, "clock.*shared"),
        ({"name": 1}, TypeError, "name takes"),
        ({"name": ""}, ValueError, "name takes"),
        ({"path": 1}, TypeError, "path takes"),
        ({"path": b"x"}, TypeError, "path takes"),
        ({"max_bytes": 1.5}, TypeError, "max_bytes takes"),
        ({"max_bytes": True}, TypeError, "max_bytes takes"),
        ({"max_bytes": 0}, ValueError, "max_bytes takes"),
        ({"max_bytes": -1}, ValueError, "max_bytes takes"),
        ({"max_bytes": 1 << 64}, ValueError, "max_bytes takes"),
        ({"serializer": 1}, TypeError, "serializer takes"),
        ({"serializer": object()}, TypeError, "serializer takes"),
    ],
)
def test_wrong_options_are_refused_at_decoration(tmp_path, options, error, text):
    with pytest.raises(error, match=text):
        lru_cache(backend="shared", **{"path": tmp_path, **options})
    with pytest.raises(error, match=text):
        cache(backend="shared", **{"path": tmp_path, **options})(len)


@pytest.mark.parametrize("option", [{"name": "x"}, {"path": "/dev/shm"}, {"max_bytes": 1}, {"serializer": json}])
def test_options_of_shared_caches_need_the_backend(option):
    for backend in ({}, {"backend": "memory"}):
        with pytest.raises(ValueError, match="go with backend='shared'"):
            lru_cache(**option, **backend)


def test_cached_methods_are_refused_and_say_why():
    with pytest.raises(ValueError, match="cached_method.*shared.*instance"):
        cached_method(backend="shared")


def test_methods_may_be_shared_if_their_instance_does_not_count(shared):
    class Table:
        @shared(ignore="self")
        def row(self, number):
            return [number]

    assert Table().row(1) == Table().row(1) == [1]
    assert Table.row.cache_info()[:2] == (1, 1)


def test_errors_of_opening_name_the_file_and_the_reason(tmp_path):
    locked = tmp_path / "others"
    locked.mkdir()
    locked.chmod(0o777)
    with pytest.raises(PermissionError) as caught:
        lru_cache(backend="shared", path=locked, name="x")(len)
    assert caught.value.errno == errno.EACCES
    assert str(locked) in str(caught.value)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OSError, match="no directory"):
        lru_cache(backend="shared", path=file, name="x")(len)


def test_linked_region_is_refused(tmp_path):
    mine, other = tmp_path / "mine", tmp_path / "other"
    for directory in (mine, other):
        directory.mkdir(mode=0o700)
    lru_cache(backend="shared", path=other, name="x")(len)
    (file,) = [path for path in other.iterdir() if path.is_file()]
    (mine / file.name).symlink_to(file)
    with pytest.raises(PermissionError):
        lru_cache(backend="shared", path=mine, name="x")(len)


def test_linked_directory_is_refused_however_it_is_written(tmp_path):
    link = tmp_path / "link"
    (tmp_path / "directory").mkdir(mode=0o700)
    link.symlink_to(tmp_path / "directory")
    for path in (f"{link}", f"{link}/", f"{link}/.", f"{link}//./"):
        with pytest.raises(PermissionError):
            lru_cache(backend="shared", path=path, name="x")(len)
    assert not list(link.iterdir())


def test_name_that_has_no_utf_8_stands_for_no_other_name(tmp_path):
    for name in ("\ud800", "a\udcff"):
        with pytest.raises(ValueError, match="name takes"):
            lru_cache(backend="shared", path=tmp_path, name=name)
    lru_cache(backend="shared", path=tmp_path, name="\U0001f600 \ufffd?")(len)


def test_user_directory_is_private():
    f = lru_cache(backend="shared", max_bytes=1 << 16, name=f"test of tamis {os.getpid()}")(lambda x: x)
    try:
        assert f(1) == f(1) == 1
        files = list(Path("/dev/shm").glob(f"*/*{os.getpid()}*"))
        (directory,) = {file.parent for file in files}
        assert directory.stat().st_mode & 0o777 == 0o700
        assert [file.stat().st_mode & 0o777 for file in files] == [0o600]
    finally:
        for file in Path("/dev/shm").glob(f"*/*test_of_tamis_{os.getpid()}*"):
            file.unlink()


# ---- the name -------------------------------------------------------------------------------------------------------


def compiled(file, source):
    """The function `f` of a program in this file."""
    file.write_text(source)
    scope = {"__name__": "program", "__file__": str(file)}
    exec(compile(source, str(file), "exec"), scope)
    return scope["f"]


def test_name_tells_functions_apart(tmp_path):
    sources = [
        *("def f(x): return x", "def f(x): return x + 1", "def f(x): return x + 2", "def f(y): return y"),
        *("def f(x, z=1): return x", "def f(x, z=2): return x", "def f(x, *, z=2): return x"),
        *("def f(x): return str(x)", "def f(x): return repr(x)", "def g(x): return x\nf = g", "f = lambda x: x"),
        *("def f(x): return [y for y in x]", "def f(x): return [y + 1 for y in x]", "async def f(x): return x"),
        *("def f(x): return x in {1, 2}", "def f(x): return x in {1, 3}"),
        *(
            f"def h(n):\n def f(x): return x + n\n return f\nf = h({n})"
            for n in (1, 2, "print", "__import__('fractions').Fraction")
        ),
        *(f"import functools\nf = functools.partial(int, base={base})" for base in (2, 3)),
        "async def f(x): return x\nf.y = 1",
    ]
    file = tmp_path / "program.py"
    names = [region_name(compiled(file, source)) for source in sources]
    assert len(set(names[:-1])) == len(names) - 1
    assert names[-1] == names[13]
    assert names == [region_name(compiled(file, source)) for source in sources]
    assert names[0].startswith("program.f-")
    assert region_name(compiled(tmp_path / "other.py", sources[0])) != names[0]
    assert region_name(len).startswith("builtins.len-")


def test_function_that_calls_itself_has_a_name(tmp_path):
    @lru_cache(backend="shared", path=tmp_path)
    def factorial(n):
        return n * factorial(n - 1) if n else 1

    assert factorial(5) == 120
    (file,) = [path for path in tmp_path.iterdir() if path.is_file()]
    assert "factorial" in file.name


def test_functions_of_one_source_share_without_a_name(tmp_path):
    regions, file = tmp_path / "regions", tmp_path / "program.py"
    regions.mkdir(mode=0o700)
    shared = lru_cache(backend="shared", path=regions)
    g, h = (shared(compiled(file, "def f(x): return [x]")) for _ in range(2))
    other = shared(compiled(file, "def f(x): return {x}"))
    assert g(1) == h(1) == [1]
    assert other(1) == {1}
    assert h.cache_info()[:2] == (1, 1)


# ---- life -----------------------------------------------------------------------------------------------------------


def test_wrapper_and_what_it_holds_are_collected(shared):
    class Serializer:
        dumps = staticmethod(pickle.dumps)
        loads = staticmethod(pickle.loads)

    serializer = Serializer()
    f = shared(serializer=serializer)(lambda x: x)
    f(1)
    serializer.wrapper = f
    gone = weakref.ref(serializer)
    del serializer, f
    gc.collect()
    if hasattr(sys, "_is_gil_enabled") and not sys._is_gil_enabled():
        gc.collect()
    assert gone() is None


def calls_of_a_shared_cache(path, rounds):
    """Do everything in turn, and see that memory does not grow. Runs in a child."""
    import gc
    import sys
    from contextlib import suppress

    from tamis import _core, cache

    class Refuse:
        def __reduce__(self):
            raise ValueError

    def compute(x, y=None):
        if x == 9:
            raise ValueError
        return [x] if x % 2 else (x, "text")

    options = {"backend": "shared", "path": path, "max_bytes": 1 << 18}
    caches = [cache(**options, name="a"), cache(**options, name="b", single_flight=True, ttl=100, stale=1, tti=100)]
    caches = [decorate(compute) for decorate in caches]

    def work(number):
        for f in caches:
            for x in range(20):
                for call in (f, f, f.cache_contains, f.cache_invalidate, f):
                    try:
                        call(x, y=(number, 1.5))
                        call((x, number).__hash__())
                    except ValueError:
                        pass
            f.cache_put(b"x" * (1 << 19), 5)
            with suppress(TypeError):
                f(Refuse())
        _core._loads(b"\x12\x05\x40")
        _core._loads(_core._dumps({"a": [1, {2, 3}], "b": Refuse.__name__}))

    blocks = []
    for number in range(rounds):
        work(number)
        if number % (rounds // 4) == 0:
            for f in caches:
                f.cache_clear()
            gc.collect()
            blocks.append(sys.getallocatedblocks())
    assert max(blocks[1:]) - blocks[1] < 100, blocks
    print("done")


def test_memory_stands_where_it_stood(tmp_path):
    assert run_function(calls_of_a_shared_cache, str(tmp_path), 400) == "done\n"


def test_wrapper_pickles_by_reference_and_copies_as_itself(shared):
    import copy

    f = shared()(lambda x: x)
    assert copy.copy(f) is f
    assert copy.deepcopy(f) is f


def test_threads_on_one_region_see_right_values(shared):
    f = shared(maxsize=50)(lambda x: (x, str(x) * 20))

    def work():
        for turn in range(3000):
            x = turn * 7919 % 120
            if turn % 100 == 0:
                f.cache_invalidate(x)
            assert f(x) == (x, str(x) * 20)
        return True

    assert in_threads(4, work) == [True] * 4
    assert f.cache_info().currsize <= 50
    assert f.cache_info().hits + f.cache_info().misses == 12_000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="__cxa_atexit(3) as the C library of Linux has it")
def test_call_at_the_exit_of_the_process_is_answered(tmp_path):
    code = f"""
        import ctypes
        from tamis import lru_cache

        f = lru_cache(backend="shared", path={str(tmp_path)!r}, name="exit")(lambda *args: list(args))
        f(1, 2)
        c = ctypes.CDLL(None)
        function = ctypes.CFUNCTYPE(None)
        at_exit = function(lambda: print(f(1, 2), f.cache_info().hits, flush=True))
        c.__cxa_atexit.argtypes = [function, ctypes.c_void_p, ctypes.c_void_p]
        c.__cxa_atexit(at_exit, None, None)
        # Not sys.exit(): C's handlers run while the interpreter stands, and after the thread's own storage is gone.
        c.exit(0)
    """
    assert run_child(code) == "[1, 2] 1\n"


def test_warning_turned_to_an_error_leaves_through_the_call(shared):
    f = shared()(lambda x: Unserializable())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            f(1)
