"""asgiref: its objects that are coroutine functions, and functions that it makes plain."""

from __future__ import annotations

import asyncio
import inspect

from helpers.coroutine_tools import double
from helpers.package_tools import package
from tamis import cache, lru_cache


def test_asgiref_objects_are_coroutine_functions():
    sync = package("asgiref.sync")
    calls = []

    def work(x, y=0):
        calls.append(x)
        return [x, y]

    async def main():
        functions = sync.sync_to_async(work), sync.sync_to_async(work, thread_sensitive=False)
        for cached in (lru_cache(functions[0]), cache(ttl=60)(functions[1])):
            assert sync.iscoroutinefunction(cached)
            assert inspect.iscoroutinefunction(cached)
            assert inspect.signature(cached) == inspect.signature(work)
            first = await cached(1)
            assert first == [1, 0]
            assert await cached(1) is first
            assert cached.cache_info()[:2] == (1, 1)

    asyncio.run(main())
    assert calls == [1, 1]


def test_asgiref_functions_that_are_made_plain_stay_plain():
    sync = package("asgiref.sync")
    cached = lru_cache(sync.async_to_sync(double))
    assert not inspect.iscoroutinefunction(cached)
    assert cached(2) == cached(2) == [4]
