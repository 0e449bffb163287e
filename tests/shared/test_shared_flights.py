"""Threads and tasks that miss together in a shared cache compute once, and coroutine functions share their results."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.marks import for_shared_caches, has_two_functions_of_one_name
from helpers.region_tools import counted
from helpers.thread_tools import in_threads

pytestmark = [for_shared_caches, has_two_functions_of_one_name]


# ---- single flight --------------------------------------------------------------------------------------------------


def test_threads_that_miss_together_compute_once(shared):
    def slow(x):
        time.sleep(0.2)
        return [x]

    g = counted(slow)
    f = shared(single_flight=True)(g)
    results = in_threads(6, lambda number: f(1))
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

    assert in_threads(4, lambda number: call()) == ["error"] * 4
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


def test_threads_on_one_region_see_right_values(shared):
    f = shared(maxsize=50)(lambda x: (x, str(x) * 20))

    def work(number):
        for turn in range(3000):
            x = turn * 7919 % 120
            if turn % 100 == 0:
                f.cache_invalidate(x)
            assert f(x) == (x, str(x) * 20)
        return True

    assert in_threads(4, work) == [True] * 4
    assert f.cache_info().currsize <= 50
    assert f.cache_info().hits + f.cache_info().misses == 12_000
