"""copy: no caller holds the object that the entry has."""

from __future__ import annotations

import asyncio
import copy
import sys
import threading

import pytest

from helpers.option_tools import Evictions, Time, fresh_list
from tamis import cache, cached_method, lru_cache


@pytest.mark.parametrize("how", [True, copy.copy, list])
def test_hits_return_copies(how):
    f = cache(copy=how)(lambda x: [x, [x]])
    first = f(1)
    second, third = f(1), f(1)
    assert first == second == third
    assert second is not third
    second.append("changed")
    assert f(1) == [1, [1]]
    if how is True:
        third[1].append("changed")
        assert f(1) == [1, [1]]


def test_without_copy_hits_return_the_value_itself():
    f = cache(copy=False)(fresh_list)
    assert f(1) is f(1)


@pytest.fixture(params=["memory", "shared"])
def backend(request, tmp_path):
    """Options of a cache in each place where entries can be."""
    if request.param == "memory":
        return {}
    if not sys.platform.startswith("linux"):
        pytest.skip("shared caches are for Linux")
    return {"backend": "shared", "path": tmp_path, "max_bytes": 1 << 18}


OPTIONS = [
    {"copy": True},
    {"copy": list},
    {"copy": True, "single_flight": True},
    {"copy": True, "ttl": 100},
    {"copy": True, "ignore": "y"},
    {"copy": True, "key": lambda x, *rest: x},
    {"copy": True, "typed": True, "maxsize": None},
    {"copy": True, "maxsize": 0},
    {"copy": True, "maxsize": 0, "single_flight": True},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_first_caller_can_not_change_the_entry(backend, options):
    f = lru_cache(**options, **backend)(lambda x, y=0: [x])
    for _ in range(3):
        result = f(1)
        assert result == [1]
        result.append("changed")
    refreshed = f.cache_refresh(1)
    assert refreshed == [1]
    refreshed.append("changed")
    assert f(1) == [1]


@pytest.mark.parametrize("options", OPTIONS)
def test_first_caller_of_a_coroutine_function_can_not_change_the_entry(backend, options):
    async def compute(x, y=0):
        return [x]

    f = lru_cache(**options, **backend)(compute)

    async def main():
        for call in [f, f, f, f.cache_refresh, f]:
            result = await call(1)
            assert result == [1]
            result.append("changed")
        results = await asyncio.gather(*(f(2) for _ in range(5)))
        for result in results:
            assert result == [2]
            result.append("changed")
        assert await f(2) == [2]

    asyncio.run(main())


def test_what_is_returned_is_what_copy_made_at_every_call():
    made = []

    def note(value):
        made.append(list(value))
        return made[-1]

    f = cache(copy=note)(fresh_list)
    assert f(1) is made[0]
    assert f(1) is made[1]
    assert f.cache_refresh(1) is made[2]
    assert len(made) == 3
    assert lru_cache(maxsize=0, copy=tuple)(fresh_list)(1) == ((1,), {})


def test_stale_and_recomputed_results_are_copies():
    time, inside = Time(), []

    @cache(ttl=10, stale=10, clock=time, copy=True)
    def f(x):
        if inside:
            inside.append(f(x))
            inside[-1].append("changed")
        return [x]

    f(1).append("changed")
    time.now += 11
    inside.append(None)
    f(1).append("changed")
    assert inside[1] == [1, "changed"]
    assert f.cache_stats()["stale_hits"] == 1
    inside.clear()
    assert f(1) == [1]


def test_leader_and_followers_of_a_flight_get_copies_of_their_own():
    entered, go = threading.Event(), threading.Event()
    results = []

    @cache(single_flight=True, copy=True)
    def f(x):
        entered.set()
        assert go.wait(60)
        return [x]

    def call():
        results.append(f(1))
        results[-1].append("changed")

    threads = [threading.Thread(target=call) for _ in range(4)]
    threads[0].start()
    assert entered.wait(60)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert results == [[1, "changed"]] * 4
    assert f(1) == [1]


def test_copy_that_calls_the_function_again_does_not_wait_for_itself():
    @cache(single_flight=True, copy=lambda value: (value, f.cache_contains(1), f.cache_info().misses))
    def f(x):
        return x

    assert f(1) == (1, True, 1)

    @cache(single_flight=True, copy=lambda value: [*value, *(g(2) if value == [1] else [])])
    def g(x):
        return [x]

    assert g(1) == [1, 2]
    assert g.cache_info() == (0, 2, None, 2)


def test_value_that_was_put_is_not_the_entry_s(backend):
    f = cache(copy=True, **backend)(fresh_list)
    mine = ["mine"]
    f.cache_put(mine, 1)
    mine.append("changed")
    assert f(1) == ["mine"]


def test_value_that_was_put_for_a_coroutine_function_is_not_the_entry_s():
    @cache(copy=True)
    async def f(x):
        return [x]

    mine = ["mine"]
    f.cache_put(mine, 1)
    mine.append("changed")
    assert asyncio.run(f(1)) == ["mine"]


def test_cache_of_an_instance_is_protected_too():
    class Table:
        @cached_method(copy=True)
        def row(self, number):
            return [number]

    table = Table()
    for _ in range(3):
        result = table.row(1)
        assert result == [1]
        result.append("changed")


@pytest.mark.parametrize("single_flight", [False, True])
def test_copy_that_fails_loses_no_result(backend, single_flight):
    fails, calls = [True], []

    def copied(value):
        if fails:
            raise LookupError(value)
        return list(value)

    @cache(copy=copied, single_flight=single_flight, **backend)
    def f(x):
        calls.append(x)
        return [x]

    for _ in range(2):
        with pytest.raises(LookupError):
            f(1)
    assert f.cache_contains(1)
    fails.clear()
    assert f(1) == [1]
    assert calls == [1]
    if not backend:
        fails.append(True)
        with pytest.raises(LookupError):
            f.cache_put([2], 2)
        assert not f.cache_contains(2)


def test_copy_that_fails_loses_no_result_of_a_coroutine_function():
    fails, calls = [True], []

    def copied(value):
        if fails:
            raise LookupError(value)
        return list(value)

    @cache(copy=copied)
    async def f(x):
        calls.append(x)
        await asyncio.sleep(0)
        return [x]

    async def main():
        errors = await asyncio.gather(*(f(1) for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in errors] == [LookupError] * 3
        fails.clear()
        assert await f(1) == [1]

    asyncio.run(main())
    assert calls == [1]


def test_on_evict_gets_the_entry_s_own_value():
    evicted, made = Evictions(), []

    @cache(copy=True, on_evict=evicted)
    def f(x):
        made.append([x])
        return made[-1]

    assert f(1) is not made[0]
    f.cache_invalidate(1)
    ((_, value, _),) = evicted
    assert value is made[0]
