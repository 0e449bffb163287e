"""Callables among the options that fail: no computed result is lost, and what ends a thread is raised."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from helpers.marks import for_shared_caches
from helpers.option_tools import Evictions, Time, reported
from tamis import SieveCache, cache, cached_method, lru_cache


def fails(*_):
    raise ZeroDivisionError


FAILING = [
    ({"ttl": fails}, ZeroDivisionError),
    ({"ttl": lambda value: "1"}, TypeError),
    ({"ttl": lambda value: True}, TypeError),
    ({"weigher": fails, "maxweight": 5}, ZeroDivisionError),
    ({"weigher": lambda value: -1, "maxweight": 5}, ValueError),
    ({"weigher": lambda value: 1.5, "maxweight": 5}, TypeError),
    ({"weigher": lambda value: None, "maxweight": 5}, TypeError),
    ({"weigher": lambda value: True, "maxweight": 5}, TypeError),
    ({"weigher": lambda value: 1 << 70, "maxweight": 5}, ValueError),
]
EVERY_FAILURE = pytest.mark.parametrize(("options", "error"), FAILING)


@EVERY_FAILURE
@pytest.mark.parametrize("single_flight", [False, True])
def test_result_whose_ttl_or_weigher_fails_is_returned_and_the_error_reported(options, error, single_flight):
    f = cache(single_flight=single_flight, **options)(lambda x: [x])
    with reported(error, error, error) as reports:
        assert f(1) == f(1) == f.cache_refresh(1) == [1]
    assert reports[0].object in options.values()
    assert f.cache_info() == (0, 2, None, 0)
    assert f.cache_stats()["weight"] == 0


@EVERY_FAILURE
def test_value_that_the_caller_has_is_refused_with_the_error(options, error):
    f = cache(**options)(lambda x: [x])
    with pytest.raises(error):
        f.cache_put("mine", 1)
    assert not f.cache_contains(1)
    c = SieveCache(3, **options)
    with pytest.raises(error):
        c["a"] = 1
    with pytest.raises(error):
        c.setdefault("a", 1)
    assert not c


@EVERY_FAILURE
def test_result_of_a_factory_is_returned(options, error):
    c = SieveCache(3, **options)
    with reported(error):
        assert c.get_or_compute("a", lambda: [1]) == [1]
    assert "a" not in c


@EVERY_FAILURE
def test_result_of_a_coroutine_function_reaches_all_who_wait(options, error):
    @cache(**options)
    async def f(x):
        await asyncio.sleep(0)
        return [x]

    async def main():
        return await asyncio.gather(*(f(1) for _ in range(3)), return_exceptions=True), await f.cache_refresh(1)

    with reported(error, error):
        assert asyncio.run(main()) == ([[1]] * 3, [1])
    assert f.cache_info()[1:] == (1, None, 0)


def test_threads_that_wait_get_a_result_that_is_not_stored():
    entered, go, results = threading.Event(), threading.Event(), []

    @cache(single_flight=True, weigher=fails, maxweight=3)
    def f(x):
        entered.set()
        assert go.wait(60)
        return [x]

    threads = [threading.Thread(target=lambda: results.append(f(1))) for _ in range(3)]
    with reported(*[ZeroDivisionError] * 3) as reports:
        threads[0].start()
        assert entered.wait(60)
        for thread in threads[1:]:
            thread.start()
        go.set()
        for thread in threads:
            thread.join()
        # How many came in time to wait is a matter of luck.
        reports.extend(reports[:1] * (3 - len(reports)))
    assert results == [[1]] * 3


@for_shared_caches
def test_result_of_a_shared_cache_is_returned(tmp_path):
    options = {"backend": "shared", "path": tmp_path, "max_bytes": 1 << 18}
    f = cache(ttl=fails, **options)(lambda x: [x])
    with reported(ZeroDivisionError, ZeroDivisionError):
        assert f(1) == f.cache_refresh(1) == [1]
    with pytest.raises(ZeroDivisionError):
        f.cache_put(1, 1)
    assert f.cache_info().currsize == 0


def test_method_s_result_is_returned():
    class Table:
        @cached_method(weigher=fails, maxweight=3)
        def row(self, number):
            return [number]

    with reported(ZeroDivisionError):
        assert Table().row(1) == [1]


def test_clock_that_fails_when_a_result_is_stored_loses_none():
    times = []

    def clock():
        times.append(0.0)
        if len(times) == 2:
            raise ZeroDivisionError
        return 0.0

    f = cache(ttl=1, clock=clock)(lambda x: [x])
    with reported(ZeroDivisionError):
        assert f(1) == [1]
    assert f(1) is f(1)


def test_refresh_that_can_not_be_stored_drops_what_it_was_to_replace():
    broken, evicted = [], Evictions()
    weigh = lambda value: fails() if broken else 1  # noqa: E731
    f = cache(weigher=weigh, maxweight=3, on_evict=evicted)(lambda x: [x])
    f(1)
    broken.append(True)
    with reported(ZeroDivisionError):
        assert f.cache_refresh(1) == [1]
    assert not f.cache_contains(1)
    assert evicted == [(1, [1], "replaced")]


def test_stale_result_stays_where_its_successor_can_not_be_stored():
    time, broken = Time(), []
    f = cache(ttl=lambda value: fails() if broken else 10, stale=10, clock=time)(lambda x: [x])
    f(1)
    time.now += 11
    broken.append(True)
    with reported(ZeroDivisionError, ZeroDivisionError):
        assert f(1) == f(1) == [1]
    assert f.cache_contains(1)
    broken.clear()
    assert f(1) is f(1)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_interrupt_in_ttl_or_weigher_is_raised(interrupt):
    def interrupted(value):
        raise interrupt

    for options in ({"ttl": interrupted}, {"weigher": interrupted, "maxweight": 3}):
        f = cache(**options)(lambda x: [x])
        with reported(), pytest.raises(interrupt):
            f(1)


# ---- on_evict -------------------------------------------------------------------------------------------------------


class Interrupts(Evictions):
    """A callback that a signal interrupts for some keys."""

    def __init__(self, *keys, error=KeyboardInterrupt):
        super().__init__()
        self.keys, self.error = keys, error

    def __call__(self, key, value, cause):
        super().__call__(key, value, cause)
        if key in self.keys:
            raise self.error(key)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_interrupt_in_on_evict_leaves_through_the_call_and_nothing_is_lost(interrupt):
    evicted = Interrupts(1, error=interrupt)
    f = lru_cache(maxsize=1, on_evict=evicted)(lambda x: [x])
    f(1)
    with reported(), pytest.raises(interrupt):
        f(2)
    assert f.cache_contains(2)
    assert f.cache_info() == (0, 2, 1, 1)
    assert evicted == [(1, [1], "size")]
    assert f(3) == [3]


def test_all_are_told_before_the_first_interrupt_leaves():
    evicted = Interrupts("a", "c")
    f = cache(weigher=len, maxweight=4, on_evict=evicted)(lambda text: text)
    for text in "abcd":
        f(text)
    with reported(), pytest.raises(KeyboardInterrupt) as caught:
        f("efgh")
    assert caught.value.args == ("a",)
    assert [key for key, _, _ in evicted] == ["a", "b", "c", "d"]
    assert f.cache_contains("efgh")
    assert f.cache_stats()["weight"] == 4


def test_errors_are_reported_and_interrupts_raised():
    def callback(key, value, cause):
        raise (KeyboardInterrupt if key == "b" else LookupError)(key)

    f = cache(weigher=len, maxweight=3, on_evict=callback)(lambda text: text)
    for text in "abc":
        f(text)
    with reported(LookupError, LookupError), pytest.raises(KeyboardInterrupt, match="b"):
        f("def")
    assert f.cache_contains("def")


@pytest.mark.parametrize("single_flight", [False, True])
def test_interrupt_leaves_through_every_method(single_flight):
    time = Time()
    f = cache(on_evict=Interrupts(1), single_flight=single_flight, ttl=10, clock=time)(lambda x: [x])
    f(1)
    with reported(), pytest.raises(KeyboardInterrupt):
        f.cache_put([2], 1)
    assert f(1) == [2]
    with reported(), pytest.raises(KeyboardInterrupt):
        f.cache_refresh(1)
    assert f(1) == [1]
    time.now += 10
    with reported(), pytest.raises(KeyboardInterrupt):
        f(1)
    assert f.cache_contains(1)
    with reported(), pytest.raises(KeyboardInterrupt):
        f.cache_invalidate(1)
    assert not f.cache_contains(1)
    assert f.cache_stats()["invalidations"] == 1
    f(1)
    with reported(), pytest.raises(KeyboardInterrupt):
        f.cache_clear()
    assert f.cache_info() == (0, 0, None, 0)


def test_interrupt_leaves_through_every_method_of_a_mapping():
    evicted = Interrupts(1)
    c = SieveCache(2, on_evict=evicted)
    changes = [
        lambda: c.__setitem__(1, "again"),
        lambda: c.__delitem__(1),
        lambda: c.pop(1),
        lambda: c.popitem(),
        lambda: c.clear(),
        lambda: c.get_or_compute(3, lambda: "three"),
        lambda: c.setdefault(3, "three"),
        lambda: c.update({3: "three"}),
    ]
    for number, change in enumerate(changes):
        evicted.keys = ()
        c.clear()
        c[1], c[2] = "one", "two"
        evicted.clear()
        evicted.keys = (1,)
        with reported(), pytest.raises(KeyboardInterrupt):
            change()
        assert [key for key, _, _ in evicted[:1]] == [1], number
        assert (3 in c) is (number > 4)


def test_interrupt_of_a_leader_lets_those_who_wait_find_the_result():
    async def main():
        evicted = Interrupts(1)

        @lru_cache(maxsize=1, on_evict=evicted)
        async def f(x):
            await asyncio.sleep(0)
            return [x]

        await f(1)
        leader, *followers = [asyncio.ensure_future(catching(f(2))) for _ in range(3)]
        assert type(await leader) is KeyboardInterrupt
        for follower in followers:
            assert await follower == [2]
        assert f.cache_info().misses == 2

    async def catching(awaitable):
        try:
            return await awaitable
        except KeyboardInterrupt as error:
            return error

    asyncio.run(main())


def test_interrupt_while_a_finalizer_calls_harms_nobody():
    class Calls:
        def __del__(self):
            f(2)

    f = lru_cache(maxsize=1, on_evict=Interrupts(1))(lambda x: [x])
    f(1)
    one = Calls()
    one.itself = one
    with reported(KeyboardInterrupt):
        del one
        gc.collect()
    assert f.cache_contains(2)
    assert f.cache_info() == (0, 2, 1, 1)
