"""background: somebody else than a caller computes a stale entry anew."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.option_tools import fresh_list, reported
from tamis import cache, cached_method, lru_cache


class Jobs(list):
    """A callable that keeps what it is given."""

    def __call__(self, job):
        self.append(job)


def test_no_caller_of_a_stale_entry_waits(time):
    jobs = Jobs()
    f = cache(ttl=10, stale=5, background=jobs, clock=time)(fresh_list)
    first = f(1)
    time.now += 10
    assert f(1) is first
    assert f(1) is first
    assert len(jobs) == 1
    second = jobs[0]()
    assert second is not first
    assert f(1) is second
    stats = f.cache_stats()
    assert (stats["hits"], stats["misses"], stats["stale_hits"]) == (3, 1, 2), "a job is no call"


def test_job_computes_once(time):
    jobs = Jobs()
    f = cache(ttl=10, stale=5, background=jobs, clock=time)(fresh_list)
    f(1)
    time.now += 10
    f(1)
    job = jobs.pop()
    second = job()
    assert job() is None
    assert f(1) is second
    with pytest.raises(TypeError):
        job(1)


def test_job_that_is_dropped_leaves_the_entry_to_the_next_caller(time):
    jobs = Jobs()
    f = cache(ttl=10, stale=5, background=jobs, clock=time)(fresh_list)
    f(1)
    time.now += 10
    f(1)
    jobs.clear()
    f(1)
    assert len(jobs) == 1


def test_job_whose_function_raises_raises_and_leaves_the_entry_to_the_next_caller(time):
    jobs, error = Jobs(), None

    def compute(x):
        if error:
            raise error
        return [x]

    f = cache(ttl=10, stale=5, background=jobs, clock=time)(compute)
    first = f(1)
    time.now += 10
    f(1)
    error = ValueError("job")
    with pytest.raises(ValueError, match="job"):
        jobs.pop()()
    assert f(1) is first
    assert len(jobs) == 1


def test_job_whose_function_raises_returns_the_entry_with_stale_if_error(time):
    jobs, error = Jobs(), None

    def compute(x):
        if error:
            raise error
        return [x]

    f = cache(ttl=10, stale=5, stale_if_error=5, retry=2, background=jobs, clock=time)(compute)
    first = f(1)
    time.now += 10
    f(1)
    error = ValueError()
    assert jobs.pop()() is first
    assert f(1) is first
    assert not jobs
    assert f.cache_stats()["errors"] == 1


def test_callable_that_raises_is_reported_and_the_caller_gets_the_entry(time):
    def shut_down(job):
        raise RuntimeError("cannot schedule new futures after shutdown")

    f = cache(ttl=10, stale=5, background=shut_down, clock=time)(fresh_list)
    first = f(1)
    time.now += 10
    with reported(RuntimeError):
        assert f(1) is first


def test_executor_takes_the_job(time):
    with ThreadPoolExecutor(1) as executor:
        f = cache(ttl=10, stale=5, background=executor.submit, clock=time)(fresh_list)
        first = f(1)
        time.now += 10
        assert f(1) is first
    assert f(1) is not first


def test_job_keeps_the_arguments_of_the_call(time):
    jobs = Jobs()
    f = lru_cache(ttl=10, stale=5, background=jobs, key=lambda *args, **kwargs: args[0], clock=time)(fresh_list)
    f("key", 1, a=2)
    time.now += 10
    f("key", 3, b=4)
    assert jobs.pop()() == [("key", 3), {"b": 4}]
    assert f("key") == [("key", 3), {"b": 4}]


def test_invalidated_entry_is_computed_by_the_next_call_and_the_job_keeps_to_its_flight(time):
    jobs = Jobs()
    f = cache(ttl=10, stale=5, background=jobs, single_flight=True, clock=time)(fresh_list)
    f(1)
    time.now += 10
    f(1)
    f.cache_invalidate(1)
    second = f(1)
    assert jobs.pop()() is second, "there is a fresh entry by then"


def test_job_keeps_the_instance_of_its_method(time):
    jobs = Jobs()

    class C:
        @cached_method(ttl=10, stale=5, background=jobs, clock=time)
        def f(self, x):
            return [self, x]

    instance = C()
    instance.f(1)
    time.now += 10
    instance.f(1)
    alive = weakref.ref(instance)
    del instance
    gc.collect()
    assert jobs.pop()()[0] is alive()


def test_cycle_through_a_job_is_collected(time):
    class Argument:
        pass

    def made():
        argument = Argument()
        f = cache(ttl=10, stale=5, background=lambda job: setattr(argument, "job", job), clock=time)(fresh_list)
        f(argument)
        time.now += 10
        f(argument)
        assert argument.job
        return weakref.ref(argument)

    argument = made()
    gc.collect()
    gc.collect()
    assert argument() is None


def test_jobs_leak_nothing(time):
    jobs = Jobs()
    f = cache(ttl=10, stale=50, background=jobs, clock=time)(lambda x: x)
    f(1)
    counted = object()
    f(counted)
    before = sys.getrefcount(counted)
    for _ in range(50):
        time.now += 11
        f(counted)
        jobs.pop()()
        time.now += 11
        f(counted)
        jobs.clear()
    assert sys.getrefcount(counted) == before


@pytest.mark.parametrize(
    ("options", "error", "named"),
    [
        ({"background": 1, "stale": 1, "ttl": 1}, TypeError, "background.*submit"),
        ({"background": print, "ttl": 1}, ValueError, "background needs stale"),
        ({"retry": 1, "ttl": 1}, ValueError, "retry needs stale_if_error"),
        ({"stale_if_error": 1}, ValueError, "stale_if_error.*ttl"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(options, error, named):
    with pytest.raises(error, match=named):
        lru_cache(**options)


def test_each_kind_of_function_has_its_own_background():
    with pytest.raises(TypeError, match="background=True is for coroutine functions"):
        cache(ttl=1, stale=1, background=True)(len)

    async def f():
        pass

    with pytest.raises(TypeError, match="background takes True for coroutine functions"):
        cache(ttl=1, stale=1, background=print)(f)

    def method(self):
        pass

    with pytest.raises(TypeError, match="background=True is for coroutine functions"):
        cached_method(ttl=1, stale=1, background=True)(method)
    assert cache(ttl=1, stale=1, background=False)(len).cache_parameters()["background"] is False


def test_task_computes_what_is_stale_and_no_caller_waits(time):
    async def main():
        go = asyncio.Event()
        calls = []

        @cache(ttl=10, stale=5, background=True, clock=time)
        async def f(x):
            calls.append(x)
            if len(calls) > 1:
                await go.wait()
            return [x]

        first = await f(1)
        time.now += 10
        assert await f(1) is first
        await asyncio.sleep(0)
        assert len(calls) == 2
        assert await f(1) is first
        go.set()
        await asyncio.sleep(0.01)
        assert await f(1) is not first
        stats = f.cache_stats()
        assert (stats["hits"], stats["misses"], stats["stale_hits"]) == (3, 1, 2)

    asyncio.run(main())


def test_task_that_is_cancelled_leaves_the_entry_to_the_next_caller(time):
    async def main():
        calls = []

        @cache(ttl=10, stale=5, background=True, clock=time)
        async def f(x):
            calls.append(x)
            if len(calls) == 2:
                await asyncio.sleep(60)
            return [x]

        first = await f(1)
        time.now += 10
        assert await f(1) is first
        await asyncio.sleep(0)
        (task,) = asyncio.all_tasks() - {asyncio.current_task()}
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert await f(1) is first
        await asyncio.sleep(0.01)
        assert await f(1) is not first
        assert calls == [1, 1, 1]

    asyncio.run(main())


def test_task_may_call_what_the_task_that_found_the_entry_computes(time):
    async def main():
        @cache(ttl=1000, clock=time)
        async def outer(x):
            await inner(x)
            await asyncio.sleep(0.01)
            return "outer"

        @cache(ttl=10, stale=5, background=True, clock=time)
        async def inner(x):
            return await outer(x) if recomputing else "inner"

        recomputing = False
        assert await inner(1) == "inner"
        time.now += 10
        recomputing = True
        assert await outer(1) == "outer"
        await asyncio.sleep(0.02)
        assert await inner(1) == "outer"
        assert outer.cache_info().misses == 1, "the task has waited for the other one"

    asyncio.run(main())


def test_without_a_running_loop_the_caller_computes(time):
    @cache(ttl=10, stale=5, background=True, clock=time)
    async def f(x):
        return [x]

    first = asyncio.run(f(1))
    time.now += 10
    coroutine = f(1)
    assert asyncio.run(coroutine) is not first


def test_awaited_error_is_answered_with_the_earlier_value(time):
    error = None

    @cache(ttl=10, stale_if_error=20, retry=2, clock=time)
    async def f(x):
        await asyncio.sleep(0)
        if error:
            raise error
        return [x]

    async def main():
        nonlocal error
        first = await f(1)
        time.now += 10
        error = ZeroDivisionError()
        assert await asyncio.gather(*(f(1) for _ in range(5))) == [first] * 5
        assert f.cache_stats()["errors"] == 1
        time.now += 1
        assert await f(1) is first
        assert f.cache_stats()["errors"] == 1
        error = asyncio.CancelledError()
        time.now += 1
        with pytest.raises(asyncio.CancelledError):
            await f(1)
        time.now += 30
        error = ZeroDivisionError()
        with pytest.raises(ZeroDivisionError):
            await f(1)

    asyncio.run(main())
