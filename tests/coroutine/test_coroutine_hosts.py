"""Cached coroutine functions outside of asyncio's own loop, and what a hit leaves behind."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref

import pytest
import trio

from helpers.coroutine_tools import by_hand
from tamis import cache, lru_cache


def test_under_trio_hits_and_misses_run_inline():
    calls = []

    @cache
    async def f(x):
        calls.append(x)
        await trio.sleep(0)
        return [x]

    async def main():
        first = await f(1)
        assert await f(1) is first
        results = []

        async def call(x):
            results.append(await f(x))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(call, 1)
        assert all(result is first for result in results)

    trio.run(main)
    assert calls == [1]
    assert f.cache_info()[:2] == (6, 1)


def test_under_trio_concurrent_misses_each_compute():
    calls = []

    @cache
    async def f(x):
        calls.append(x)
        await trio.sleep(0.001)
        return x

    async def main():
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(f, 1)

    trio.run(main)
    assert calls == [1] * 5


def test_under_trio_cancellation_and_errors_leave_through_the_call():
    @cache
    async def f(x):
        await trio.sleep(x)
        raise LookupError(x)

    async def main():
        with trio.move_on_after(0.01) as scope:
            await f(60)
        assert scope.cancelled_caught
        with pytest.raises(LookupError):
            await f(0)
        assert f.cache_info().currsize == 0

    trio.run(main)


def test_a_thread_with_trio_and_one_with_asyncio_share_one_cache():
    @cache
    async def f(x):
        return [x]

    async def call():
        return [await f(x) for x in range(20)]

    results = []
    for run in (lambda: trio.run(call), lambda: asyncio.run(call())):
        thread = threading.Thread(target=lambda run=run: results.append(run()))
        thread.start()
        thread.join()
    assert all(a is b for a, b in zip(*results, strict=True))


def test_under_uvloop_tasks_coalesce_and_hit():
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed for this interpreter")
    calls = []

    @cache
    async def f(x):
        calls.append(x)
        await asyncio.sleep(0.001)
        return [x]

    async def main():
        results = await asyncio.gather(*(f(1) for _ in range(50)))
        assert all(result is results[0] for result in results)
        assert await f(1) is results[0]
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(f(2), 0)

    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    assert calls.count(1) == 1


# ---- what carries the value is used again, so nobody may see a trace of an earlier use ------------------------------


def next_of(iterator):
    """What ends an iteration, caught by Python code."""
    try:
        next(iterator)
    except StopIteration as stop:
        return stop
    raise AssertionError("it goes on")


async def hits(f, times):
    return [await f(1) for _ in range(times)]


def test_a_caught_stop_iteration_is_not_used_again_while_somebody_has_it():
    f = cache(make_list)
    by_hand(f(1))
    by_hand(hits(f, 3))
    first, second = next_of(f(1).__await__()), next_of(f(1).__await__())
    assert first is not second
    assert first.value is second.value
    assert second.__context__ is None


def test_nothing_that_was_done_to_a_caught_stop_iteration_shows_later():
    f = cache(make_list)
    by_hand(f(1))
    value = by_hand(hits(f, 3))[0]
    spoils = [
        lambda stop: setattr(stop, "value", "spoilt"),
        lambda stop: setattr(stop, "args", ("spoilt",)),
        lambda stop: setattr(stop, "__cause__", ValueError()),
        lambda stop: setattr(stop, "__context__", ValueError()),
        lambda stop: setattr(stop, "note", "spoilt"),
        lambda stop: stop.with_traceback(None),
    ]
    for spoil in spoils:
        spoil(next_of(f(1).__await__()))
        assert by_hand(hits(f, 2)) == [value, value]
        stop = next_of(f(1).__await__())
        assert (stop.value, stop.args, stop.__cause__, stop.__context__, vars(stop)) == (
            value,
            (value,),
            None,
            None,
            {},
        )


def test_a_tuple_is_carried_whole():
    f = cache(make_tuple)
    assert by_hand(f(1)) == (1, (2,))
    assert by_hand(hits(f, 3)) == [(1, (2,))] * 3
    assert next_of(f(1).__await__()).value == (1, (2,))


def test_an_await_inside_of_a_handled_exception_leaves_no_context_behind():
    f = cache(make_list)

    async def main():
        await f(1)
        try:
            raise LookupError
        except LookupError:
            await hits(f, 3)
            stop = next_of(f(1).__await__())
        assert stop.value == [1]

    by_hand(main())
    assert next_of(f(1).__await__()).__context__ is None


async def make_list(x):
    return [x]


async def make_tuple(x):
    return (x, (2,))


def test_hits_keep_no_value_alive_that_has_left():
    class Value:
        pass

    @lru_cache(maxsize=1)
    async def f(x):
        return Value()

    reference = weakref.ref(by_hand(f(1)))
    by_hand(hits(f, 3))
    assert reference() is not None
    f.cache_clear()
    gc.collect()
    assert reference() is None


def test_a_cycle_through_what_a_hit_returns_is_collected():
    class Value:
        pass

    @cache
    async def f(x):
        return Value()

    value = by_hand(f(1))
    value.hit = f(1)
    by_hand(hits(f, 2))
    reference = weakref.ref(value)
    f.cache_clear()
    del value
    gc.collect()
    assert reference() is None


def test_a_cycle_through_a_call_that_was_never_awaited_is_collected():
    class Argument:
        pass

    @cache
    async def f(x):
        return x

    argument = Argument()
    argument.call = f(argument)
    argument.call.close()
    argument.call = f(argument)
    reference = weakref.ref(argument)
    argument.call.close()
    del argument
    gc.collect()
    assert reference() is None


def test_hits_in_many_threads_return_their_own_values():
    f = cache(make_list)
    values = [by_hand(f(x)) for x in range(5)]
    wrong = []

    def work():
        async def calls():
            for _ in range(2000):
                for x in range(5):
                    if await f(x) is not values[x]:
                        wrong.append(x)

        by_hand(calls())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_hits_leak_no_reference():
    f = cache(make_list)
    value = by_hand(f(1))
    by_hand(hits(f, 10))
    before = sys.getrefcount(value)
    by_hand(hits(f, 1000))
    assert sys.getrefcount(value) == before
