"""Tasks that miss together: one computes for all who wait, and none waits for itself."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from helpers.coroutine_tools import run
from helpers.subprocess_tools import run_function
from tamis import cache, lru_cache


def test_concurrent_misses_compute_once():
    calls = []

    @cache
    async def f(x):
        calls.append(x)
        await asyncio.sleep(0.01)
        return [x]

    async def main():
        results = await asyncio.gather(*(f(1) for _ in range(100)))
        assert all(result is results[0] for result in results)

    run(main())
    assert calls == [1]
    assert f.cache_info()[:2] == (99, 1)
    assert f.cache_stats()["coalesced"] == 99


def test_without_single_flight_each_miss_computes():
    calls = []

    @cache(single_flight=False)
    async def f(x):
        calls.append(x)
        await asyncio.sleep(0)

    async def main():
        await asyncio.gather(f(1), f(1), f(1))

    run(main())
    assert calls == [1] * 3


def test_an_error_goes_to_all_who_waited_and_to_nobody_later():
    calls = []

    @cache
    async def f(x):
        calls.append(x)
        await asyncio.sleep(0.01)
        if len(calls) == 1:
            raise LookupError(x)
        return x

    async def main():
        results = await asyncio.gather(*(f(1) for _ in range(5)), return_exceptions=True)
        assert [type(result) for result in results] == [LookupError] * 5
        assert await f(1) == 1

    run(main())
    assert calls == [1, 1]
    assert sum(f.cache_info()[:2]) == 6


def test_eq_that_raises_leaves_no_flight_behind():
    class Key:
        left = 0

        def __init__(self, value):
            self.value = value

        def __hash__(self):
            return 1

        def __eq__(self, other):
            Key.left -= 1
            if Key.left == 0:
                raise ZeroDivisionError
            return self.value == other.value

    @lru_cache
    async def f(key):
        return key.value

    async def main():
        await f(Key(1))
        # A call compares its key with the other one once.
        Key.left = 1
        with pytest.raises(ZeroDivisionError):
            await f(Key(2))
        # It would wait for a leader that is gone.
        assert await asyncio.wait_for(f(Key(2)), 60) == 2

    run(main())


def test_a_task_that_enters_its_own_flight_computes_for_itself():
    calls = []

    @cache
    async def f(x):
        calls.append(x)
        if len(calls) == 1:
            return await f(x)
        if len(calls) == 2:
            return (await asyncio.gather(f(x), f(x)))[0]
        return x

    assert run(asyncio.wait_for(f(1), 5)) == 1


def test_a_ring_of_tasks_does_not_wait_for_itself():
    @cache
    async def a(x):
        await asyncio.sleep(0.01)
        return ["a", await b(x) if x else None]

    @cache
    async def b(x):
        await asyncio.sleep(0.01)
        return ["b", (await a(x))[0] if len(seen) < 9 and not seen.append(x) else None]

    seen = []

    async def main():
        await asyncio.wait_for(asyncio.gather(a(1), b(1)), 5)

    run(main())


def exception_with_its_frames(decorate):
    """Fail before many who wait; return a weak reference to what each caught, and the length of its traceback."""

    class Failure(Exception):
        pass

    @decorate
    async def f(x):
        await asyncio.sleep(0)
        raise Failure

    async def caught():
        try:
            await f(1)
        except Failure as error:
            length, traceback = 0, error.__traceback__
            while traceback is not None:
                length, traceback = length + 1, traceback.tb_next
            return weakref.ref(error), length

    async def main():
        return await asyncio.gather(*(caught() for _ in range(20)))

    return asyncio.run(main())


def test_an_error_that_many_got_has_a_short_traceback_and_is_freed_without_the_collector():
    gc.collect()
    gc.disable()
    try:
        for reference, length in exception_with_its_frames(cache):
            assert reference() is None
            assert length <= 5
    finally:
        gc.enable()


def test_an_error_before_the_leader_computes_leaves_no_flight_behind():
    calls = []

    def clock():
        calls.append(None)
        if len(calls) == 2:
            raise ZeroDivisionError
        return 0.0

    @cache(ttl=5, clock=clock)
    async def f(x):
        return x

    async def main():
        with pytest.raises(ZeroDivisionError):
            await f(1)
        assert await asyncio.wait_for(f(1), 5) == 1

    run(main())


@pytest.mark.parametrize("act", [lambda f: f.cache_invalidate(1), lambda f: f.cache_clear()])
def test_what_began_before_invalidating_or_clearing_is_not_stored(act):
    go = []

    @cache
    async def f(x):
        go.append(asyncio.get_running_loop().create_future())
        return await go[-1]

    async def main():
        old = asyncio.create_task(f(1))
        await asyncio.sleep(0)
        act(f)
        new = asyncio.create_task(f(1))
        await asyncio.sleep(0)
        go[0].set_result("old")
        assert await old == "old"
        assert not f.cache_contains(1)
        go[1].set_result("new")
        assert await new == "new"
        assert await f(1) == "new"

    run(main())


def test_a_ring_is_seen_though_one_of_two_who_wait_was_cancelled():
    depth = []

    @cache
    async def f(name):
        if name == "outer":
            first, second = (asyncio.create_task(f("inner")) for _ in range(2))
            await asyncio.sleep(0.01)
            first.cancel()
            await asyncio.sleep(0.01)
            return await second
        await asyncio.sleep(0.05)
        depth.append(name)
        return await f("outer") if len(depth) < 3 else "deep"

    async def main():
        return await asyncio.wait_for(asyncio.gather(f("inner"), f("outer")), 10)

    assert run(main()) == ["deep", "deep"]


def ring_over_a_task_and_a_thread(first):
    """A task leads and calls into a flight of another thread, which runs a loop that calls what the task leads."""
    import asyncio
    import threading
    import time

    from tamis import cache

    main = threading.current_thread()
    task_leads, thread_leads = threading.Event(), threading.Event()

    @cache
    async def outer(x):
        if threading.current_thread() is not main:
            return "computed by the thread"
        task_leads.set()
        thread_leads.wait()
        if first == "thread":
            await asyncio.sleep(0.3)  # the thread's task waits for this one by now
        return inner(x)

    @cache(single_flight=True)
    def inner(x):
        if threading.current_thread() is main:
            return "computed by the task"
        thread_leads.set()
        task_leads.wait()
        if first == "task":
            time.sleep(0.3)  # the task's thread sleeps until this flight lands by now
        return asyncio.run(outer(x))

    thread = threading.Thread(target=inner, args=(1,))
    thread.start()
    print(asyncio.run(outer(1)))
    thread.join()


@pytest.mark.parametrize(("first", "printed"), [("task", "computed by the thread"), ("thread", "computed by the task")])
def test_a_ring_over_a_task_and_a_thread_does_not_wait_for_itself(first, printed):
    assert run_function(ring_over_a_task_and_a_thread, first, seconds=20) == f"{printed}\n"
