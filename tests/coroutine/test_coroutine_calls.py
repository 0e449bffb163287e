"""Cached coroutine functions: what is stored, what a call returns, and hits that touch no loop."""

from __future__ import annotations

import asyncio
import collections.abc
import functools
import gc
import inspect
import warnings
import weakref

import pytest

from helpers.coroutine_tools import by_hand, run
from tamis import cache, cached_method, lru_cache


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


def test_coroutines_of_misses_and_hits_say_what_their_methods_do():
    @cache
    async def f(x):
        return x

    miss = f(1)
    assert run(miss) == 1
    hit = f(1)
    assert type(hit) is not type(miss)
    for coroutine in (miss, hit):
        for method in ("send", "throw", "close", "__await__"):
            assert getattr(coroutine, method).__doc__, (coroutine, method)
    hit.close()
