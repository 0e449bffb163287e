"""Cached coroutine functions: hits that touch no loop, one computation for all who wait, cancellation."""

from __future__ import annotations

import asyncio
import collections.abc
import contextvars
import functools
import gc
import inspect
import threading
import warnings
import weakref

import pytest

from helpers.marks import for_systems_with_fork
from helpers.subprocess_tools import run_function
from tamis import cache, cached_method, lru_cache


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
        gc.collect()


def run(coroutine):
    return asyncio.run(coroutine, debug=True)


def by_hand(coroutine):
    """Run a coroutine that never waits, without any loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


@pytest.mark.parametrize("decorate", [lru_cache, cache, cache(), lru_cache(maxsize=5), cache(ttl=100)])
def test_the_awaited_result_is_stored(decorate):
    calls = []

    @decorate
    async def f(x):
        calls.append(x)
        await asyncio.sleep(0)
        return [x]

    async def main():
        first = await f(1)
        assert await f(1) is first
        assert await f(2) == [2]
        assert f.cache_contains(1)

    run(main())
    assert calls == [1, 2]
    assert f.cache_info()[:2] == (1, 2)


def test_it_is_a_coroutine_function_to_those_who_ask():
    @cache
    async def f(a, b=1):
        """Doc."""
        return a

    assert inspect.iscoroutinefunction(f)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert asyncio.iscoroutinefunction(f)
    assert str(inspect.signature(f)) == "(a, b=1)"
    assert not inspect.iscoroutinefunction(cache(lambda: 1))
    assert inspect.iscoroutinefunction(cache(functools.partial(f.__wrapped__, 1)))


def test_what_a_call_returns_is_a_coroutine():
    @cache
    async def f(x):
        return x

    miss = f(1)
    assert isinstance(miss, collections.abc.Coroutine)
    assert by_hand(miss) == 1
    hit = f(1)
    assert isinstance(hit, collections.abc.Coroutine)
    assert asyncio.iscoroutine(hit)

    async def main():
        assert await asyncio.gather(f(1), f(2), f(1), f(3)) == [1, 2, 1, 3]
        assert await asyncio.create_task(f(1)) == 1
        assert await asyncio.wait_for(f(1), 5) == 1
        assert await asyncio.wait_for(f(4), 5) == 4

    run(main())


@pytest.mark.parametrize("value", [None, (1, 2), StopIteration(3), ValueError("x"), [1]])
def test_hits_return_any_value(value):
    @cache
    async def f():
        return value

    async def main():
        return [await f(), await f(), await asyncio.create_task(f())]

    assert all(result is value for result in run(main()))


def test_a_hit_is_through_without_any_loop():
    @cache
    async def f(x):
        return x

    assert by_hand(f(1)) == 1
    hit = f(1)
    assert by_hand(hit) == 1
    assert list(f.cache_info())[:2] == [1, 1]
    with pytest.raises(LookupError):
        f(1).throw(LookupError("x"))
    with pytest.raises(LookupError):
        f(1).throw(LookupError)
    f(1).close()


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


@pytest.mark.parametrize("failing", range(1, 4))
def test_eq_that_raises_leaves_no_flight_behind(failing):
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
        Key.left = failing
        with pytest.raises(ZeroDivisionError):
            await f(Key(2))
        # It would wait for a leader that is gone.
        assert await asyncio.wait_for(f(Key(2)), 60) == 2

    run(main())


@pytest.mark.parametrize("victims", [[0], [1], [0, 1], [2, 3], [0, 1, 2, 3]])
def test_cancelled_tasks_are_cancelled_alone(victims):
    calls = []

    @cache
    async def f(x):
        calls.append(x)
        await asyncio.sleep(0.02)
        return x

    async def main():
        tasks = [asyncio.create_task(f(1)) for _ in range(4)]
        await asyncio.sleep(0.005)
        for victim in victims:
            tasks[victim].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for number, result in enumerate(results):
            assert isinstance(result, asyncio.CancelledError) if number in victims else result == 1
        assert await f(1) == 1

    run(main())
    assert len(calls) <= 2 + (len(victims) == 4)


def test_a_timeout_of_the_leader_leaves_the_others():
    @cache
    async def f(x):
        await asyncio.sleep(0.05)
        return x

    async def main():
        leader = asyncio.create_task(asyncio.wait_for(f(1), 0.01))
        await asyncio.sleep(0)
        follower = asyncio.create_task(f(1))
        with pytest.raises(asyncio.TimeoutError):
            await leader
        assert await follower == 1

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


def test_loops_in_several_threads_share_one_cache():
    calls, results = [], []

    @cache
    async def f(x):
        calls.append(x)
        await asyncio.sleep(0.02)
        return [x]

    start = threading.Barrier(6)

    def work():
        start.wait()

        async def main():
            return await asyncio.gather(f(1), f(2), f(1))

        results.append(asyncio.run(main()))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(calls) == [1, 2]
    assert all(result == [[1], [2], [1]] for result in results)


def test_loops_one_after_the_other_share_one_cache():
    @cache
    async def f(x):
        await asyncio.sleep(0)
        return [x]

    first = run(f(1))
    assert run(f(1)) is first

    async def abandoned():
        task = asyncio.ensure_future(f(2))
        await asyncio.sleep(0)
        return task

    run(abandoned())
    assert run(f(2)) == [2]


def test_the_leader_keeps_its_own_context():
    variable = contextvars.ContextVar("variable")

    @cache
    async def f(x):
        await asyncio.sleep(0)
        return variable.get()

    async def main():
        variable.set("mine")
        assert await f(1) == "mine"
        variable.set("other")
        assert await f(1) == "mine"

    run(main())


def test_methods_and_cached_methods():
    class Owner:
        def __init__(self):
            self.calls = 0

        @cache
        async def shared(self, x):
            self.calls += 1
            return x

        @cached_method
        async def own(self, x):
            self.calls += 1
            return x

    async def main():
        a = Owner()
        assert [await a.shared(1), await a.shared(1), await a.own(1), await a.own(1)] == [1] * 4
        assert a.calls == 2
        assert Owner.own.cache_for(a).cache_info()[:2] == (1, 1)

    run(main())


def test_put_invalidate_refresh_and_clear():
    calls = []

    @cache
    async def f(x):
        calls.append(x)
        return [x]

    async def main():
        f.cache_put("put", 1)
        assert await f(1) == "put"
        assert await f.cache_refresh(1) == [1]
        assert await f(1) == [1]
        assert f.cache_invalidate(1) is True
        assert await f(1) == [1]
        f.cache_clear()
        assert not f.cache_contains(1)

    run(main())
    assert calls == [1, 1]


def test_stale_value_is_returned_while_one_task_recomputes():
    now = [0.0]
    calls = []

    @cache(ttl=10, stale=10, clock=lambda: now[0])
    async def f(x):
        calls.append(x)
        await asyncio.sleep(0.01)
        return [len(calls)]

    async def main():
        assert await f(1) == [1]
        now[0] = 11.0
        assert await asyncio.gather(f(1), f(1), f(1)) == [[2], [1], [1]]
        never = f(1)
        now[0] = 22.0
        never.close() if hasattr(never, "cr_code") else None

    run(main())


def test_async_generators_are_refused():
    async def generate():
        yield 1

    with pytest.raises(TypeError, match="async generator"):
        cache(generate)


def test_maxsize_zero_stores_nothing():
    @lru_cache(maxsize=0)
    async def f(x):
        return [x]

    async def main():
        assert await f(1) is not await f(1)

    run(main())


def test_eager_tasks():
    factory = getattr(asyncio, "eager_task_factory", None)
    if factory is None:
        pytest.skip("this version has no eager tasks")

    @cache
    async def f(x):
        await asyncio.sleep(0)
        return [x]

    async def main():
        asyncio.get_running_loop().set_task_factory(factory)
        results = await asyncio.gather(*(asyncio.create_task(f(1)) for _ in range(5)))
        assert all(result is results[0] for result in results)
        assert await asyncio.create_task(f(1)) is results[0]

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


def test_a_coroutine_of_a_method_keeps_its_instance_until_it_is_through():
    class Client:
        @cached_method
        async def fetch(self, x):
            await asyncio.sleep(0)
            return x

        @cached_method(maxsize=0, single_flight=False)
        async def ask(self, x):
            return x

    for method in (Client.ask, Client().ask, Client.fetch, Client().fetch):
        assert inspect.iscoroutinefunction(method)

    async def main():
        assert await Client().fetch(1) == 1
        assert await Client().ask(1) == 1
        client = Client()
        gone = weakref.ref(client)
        refresh = Client.fetch.cache_for(client).cache_refresh(1)
        del client
        assert await refresh == 1
        del refresh
        gc.collect()
        assert gone() is None

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


def test_contexts_that_outlive_flights_do_not_grow():
    from tamis._async import _leading

    lengths, tasks = [], []

    @cache
    async def f(n):
        lengths.append(len(_leading.get()))
        if n < 20:
            tasks.append(asyncio.create_task(later(n + 1)))

    async def later(n):
        await asyncio.sleep(0)
        await f(n)

    async def main():
        await f(0)
        for task in tasks:
            await task

    run(main())
    assert lengths == [1] * 21


def test_a_cancelled_follower_counts_as_a_miss():
    @cache
    async def f(x):
        await asyncio.sleep(0.01)

    async def main():
        leader, follower = (asyncio.create_task(f(1)) for _ in range(2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        follower.cancel()
        await asyncio.wait([leader, follower])
        assert follower.cancelled()

    run(main())
    assert f.cache_info()[:2] == (0, 2)


def collect_leaders_everywhere():
    import asyncio
    import gc
    import signal

    from tamis import cache

    signal.alarm(60)

    @cache
    async def f(x):
        await asyncio.sleep(0.001)

    @cache
    async def never(x, future):
        await future

    async def main():
        for n in range(3000):
            leader = never(n, asyncio.get_running_loop().create_future())
            leader.send(None)
            garbage = [leader]
            garbage.append(garbage)
            del leader, garbage
            await asyncio.gather(f(n), f(n), f(n))

    gc.set_threshold(1)
    asyncio.run(main())
    print("done")


def test_the_collector_may_close_leaders_while_others_wait():
    assert run_function(collect_leaders_everywhere, seconds=90) == "done\n"


def fork_in_a_flight():
    import asyncio
    import os
    import signal
    import threading
    import warnings

    from tamis import cache

    warnings.simplefilter("ignore")
    parent = os.getpid()

    @cache
    async def f(x):
        if os.getpid() == parent:
            await asyncio.sleep(0.3)
        return os.getpid()

    def in_child():
        os._exit(0 if asyncio.run(f(1)) == os.getpid() else 3)

    async def main():
        leader = asyncio.create_task(f(1))
        await asyncio.sleep(0)
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            thread = threading.Thread(target=in_child)
            thread.start()
            thread.join()
            os._exit(4)
        status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status[1]) == 0
        assert await leader == parent

    asyncio.run(main())
    print("done")


@for_systems_with_fork
def test_a_task_left_behind_by_a_fork_is_not_waited_for():
    assert run_function(fork_in_a_flight) == "done\n"


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
