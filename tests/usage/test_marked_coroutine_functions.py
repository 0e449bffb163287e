"""Functions that inspect.markcoroutinefunction marks: whatever they return is awaited."""

from __future__ import annotations

import asyncio
import inspect
import types

import pytest

from helpers.coroutine_tools import double, marked, stop
from helpers.marks import for_marked_functions
from tamis import cache, lru_cache


class AwaitableByIterator:
    """What a marked function may return: an object with __await__, whose iterator has nothing but __next__."""

    def __await__(self):
        return map(str, [1, 2])


@types.coroutine
def generator_based(x):
    yield x
    return [x]


@for_marked_functions
def test_a_function_may_return_any_awaitable():
    @cache
    @inspect.markcoroutinefunction
    def f(kind):
        return {"object": AwaitableByIterator, "generator": lambda: generator_based(7), "none": lambda: 5}[kind]()

    call = f("object")
    assert (call.send(None), call.send(None)) == ("1", "2")
    with pytest.raises(LookupError):
        call.throw(LookupError)
    call = f("object")
    call.send(None)
    call.close()
    call = f("generator")
    assert call.send(None) == 7
    assert stop(call.send, None) == [7]
    with pytest.raises(TypeError, match="await"):
        f("none").send(None)


class Awaitable:
    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return [42]


@types.coroutine
def old_style():
    yield from asyncio.sleep(0).__await__()
    return [42]


@for_marked_functions
@pytest.mark.parametrize(
    "make",
    [
        Awaitable,
        old_style,
        lambda: asyncio.ensure_future(double(21)),
        lambda: asyncio.gather(double(21)),
        lambda: double(21),
        lambda: lru_cache(double)(21),
    ],
)
def test_whatever_a_marked_function_returns_is_awaited(make):
    cached = lru_cache(marked(lambda: make()))

    async def main():
        first = await cached()
        assert first in ([42], [[42]])
        assert await cached() is first
        assert await cached.cache_refresh() is not first

    asyncio.run(main())


@for_marked_functions
def test_a_marked_function_that_returns_nothing_to_await_is_an_error_of_its_own():
    cached = lru_cache(marked(lambda x: x))

    async def main():
        for _ in range(2):
            with pytest.raises(TypeError, match="await"):
                await cached(1)

    asyncio.run(main())
    assert cached.cache_info().currsize == 0
