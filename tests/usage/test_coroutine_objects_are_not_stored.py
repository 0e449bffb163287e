"""An ordinary function that returns a coroutine object: a `TypeError`, since the object could be awaited only once."""

from __future__ import annotations

import asyncio
import collections.abc
import gc
import sys
import threading
import types
import warnings

import pytest

from tamis import SieveCache, cache, cached_method, lru_cache


@pytest.fixture(autouse=True)
def no_warnings():
    """No coroutine is left behind that was never awaited."""
    seen = []
    sys.unraisablehook, before = seen.append, sys.unraisablehook
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
            gc.collect()
    finally:
        sys.unraisablehook = before
    assert seen == []


async def fetch(x=0):
    return [x]


@lru_cache
async def cached_fetch(x=0):
    return [x]


@types.coroutine
def old_style(x=0):
    yield
    return [x]


@types.coroutine
def forwarded(x=0):
    return iter([x])


class Once(collections.abc.Coroutine):
    """As those of aiohttp's requests."""

    def __await__(self):
        yield

    def send(self, value): ...

    def throw(self, *args): ...

    def close(self): ...


class Fetcher:
    async def __call__(self, x=0):
        return [x]


async def stream():
    yield 1


def hit():
    cached_fetch(7).close()
    cached_fetch.cache_put([7], 7)
    return cached_fetch(7)


COROUTINES = {
    "async def": fetch,
    "async __call__": Fetcher(),
    "miss of a cache": cached_fetch,
    "hit of a cache": lambda x=0: hit(),
    "types.coroutine": old_style,
    "types.coroutine of a def": lambda x=0: types.coroutine(lambda: Once())(),
    "Coroutine": lambda x=0: Once(),
    "asend": lambda x=0: stream().asend(None),
    "anext": lambda x=0: anext(stream()),
}

CACHES = {
    "lru_cache": lru_cache,
    "unbounded": cache,
    "typed": lru_cache(typed=True),
    "ttl": lru_cache(ttl=60),
    "key": lru_cache(key=lambda *args: args),
    "copy": lru_cache(copy=True),
    "single flight": lru_cache(single_flight=True),
    "single flight that stores nothing": lru_cache(maxsize=0, single_flight=True),
    "weigher": lru_cache(weigher=lambda value: 1, maxweight=10),
}


def refused():
    return pytest.raises(TypeError, match="coroutine object.*only once.*async def.*markcoroutinefunction")


@pytest.mark.parametrize("make", COROUTINES.values(), ids=COROUTINES.keys())
@pytest.mark.parametrize("decorate", CACHES.values(), ids=CACHES.keys())
def test_a_coroutine_object_is_refused_at_each_call_and_on_refresh(make, decorate):
    cached = decorate(lambda *args: make(*args))
    for args in ((), (), (1,), (1, 2)[:1]):
        with refused():
            cached(*args)
    if cached.cache_info().maxsize != 0:
        with refused():
            cached.cache_refresh(1)
    assert cached.cache_info().currsize == 0
    assert cached.cache_info().hits == 0
    assert not cached.cache_contains(1)


@pytest.mark.parametrize("make", COROUTINES.values(), ids=COROUTINES.keys())
def test_a_shared_cache_refuses_it_too(make, tmp_path):
    for options in ({}, {"single_flight": True}, {"ttl": 60}):
        cached = lru_cache(backend="shared", path=tmp_path, name="refused", **options)(lambda *args: make(*args))
        for _ in range(2):
            with refused():
                cached(1)
        with refused():
            cached.cache_refresh(1)
        with pytest.raises(TypeError, match=r"cache_put.*await it first"):
            cached.cache_put(make(1), 1)
        assert cached.cache_stats()["unserializable"] == 0
        assert cached.cache_info().currsize == 0


def test_cached_methods_refuse_it():
    class Client:
        @cached_method
        def get(self, x):
            return fetch(x)

        @cached_method(ttl=5)
        def get_later(self, x):
            return cached_fetch(x)

        @lru_cache
        def plain(self, x):
            return fetch(x)

    client = Client()
    for method in (client.get, client.get_later, client.plain):
        for _ in range(2):
            with refused():
                method(1)


def test_the_message_names_the_function():
    with pytest.raises(TypeError, match="<function .*returns_one at"):
        lru_cache(returns_one)()


def returns_one():
    return fetch()


@pytest.mark.parametrize("make", COROUTINES.values(), ids=COROUTINES.keys())
def test_cache_put_refuses_it(make):
    @lru_cache
    async def of_coroutines(x):
        return x

    for cached in (lru_cache(abs), lru_cache(ttl=5)(abs), lru_cache(maxsize=0)(abs), of_coroutines):
        with pytest.raises(TypeError, match=r"cache_put.*await it first"):
            cached.cache_put(make(), 1)
        assert not cached.cache_contains(1)


def test_a_coroutine_that_the_caller_has_stays_as_it_is():
    cached = lru_cache(abs)
    coroutine = fetch(3)
    with pytest.raises(TypeError, match="cache_put"):
        cached.cache_put(coroutine, 1)
    assert asyncio.run(coroutine) == [3]
    coroutine = fetch(4)
    with refused():
        lru_cache(lambda: coroutine)()
    assert asyncio.run(coroutine) == [4]


def test_a_coroutine_that_has_begun_is_closed():
    closed = []

    @types.coroutine
    def forever():
        try:
            yield
        finally:
            closed.append(True)

    async def begun():
        await forever()

    def function():
        coroutine = begun()
        coroutine.send(None)
        return coroutine

    with refused():
        lru_cache(function)()
    assert closed == [True]


def test_an_error_in_closing_does_not_hide_what_went_wrong():
    seen = []

    class Stubborn(Once):
        def close(self):
            raise OSError("no")

    before, sys.unraisablehook = sys.unraisablehook, lambda raised: seen.append(raised.exc_type)
    try:
        with refused():
            lru_cache(Stubborn)()
    finally:
        sys.unraisablehook = before
    assert seen == [OSError]


def test_a_coroutine_that_is_the_awaited_result_is_refused():
    @lru_cache
    async def nested(x):
        return fetch(x)

    async def main():
        for _ in range(2):
            with pytest.raises(TypeError, match="await it inside"):
                await nested(1)
        with pytest.raises(TypeError, match="await it inside"):
            await nested.cache_refresh(1)
        results = await asyncio.gather(nested(2), nested(2), return_exceptions=True)
        assert [type(result) for result in results] == [TypeError, TypeError]

    asyncio.run(main())
    assert nested.cache_info().currsize == 0


def test_threads_that_wait_for_one_flight_are_all_told():
    begun = threading.Event()

    @lru_cache(single_flight=True)
    def function():
        begun.wait(5)
        return fetch()

    errors = []

    def call():
        try:
            function()
        except TypeError as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    begun.set()
    for thread in threads:
        thread.join()
    assert len(errors) == 4


def test_a_cache_that_stores_nothing_hands_a_coroutine_on():
    cached = lru_cache(maxsize=0)(lambda x: fetch(x))
    assert asyncio.run(cached(1)) == [1]
    assert asyncio.run(cached(1)) == [1]


def test_a_mapping_takes_no_coroutine_from_a_factory():
    mapping = SieveCache(5)
    for _ in range(2):
        with refused():
            mapping.get_or_compute(1, fetch)
    assert len(mapping) == 0
    assert mapping.get_or_compute(1, list) == []
    # What is put in by hand is the caller's own affair, as with a dict.
    mapping[2] = coroutine = fetch(2)
    assert asyncio.run(mapping[2]) == [2]
    assert mapping.pop(2) is coroutine


def test_futures_tasks_generators_and_other_awaitables_are_stored():
    class Awaitable:
        def __await__(self):
            return iter(())

    @cache
    def task(x):
        return asyncio.ensure_future(fetch(x))

    @cache
    def future():
        return asyncio.get_running_loop().create_future()

    @cache
    def gathered():
        return asyncio.gather(fetch(1), fetch(2))

    async def main():
        assert task(1) is task(1)
        assert await task(1) is await task(1)
        future().set_result(5)
        assert await future() == await future() == 5
        assert await gathered() == await gathered() == [[1], [2]]

    asyncio.run(main())
    for make in (Awaitable, lambda: iter(()), lambda: (x for x in ()), lambda: stream(), lambda: fetch):
        cached = lru_cache(make)
        assert cached() is cached()
