"""Coroutine functions that await themselves through a cache: for children, since they may crash the process."""

from __future__ import annotations

import asyncio
import tempfile

from helpers.recursion_tools import print_depths
from tamis import cache, lru_cache


def decorators(folder):
    """Decorators of coroutine functions, by name. Regions are in this folder."""
    shared = {"backend": "shared", "path": folder, "max_bytes": 8 << 20, "name": "recursion"}
    return {
        "none": lambda f: f,
        "bound": lru_cache(10**6),
        "no bound": lru_cache(None),
        "ttl": lru_cache(None, ttl=100),
        "refresh": lru_cache(None, ttl=100),
        "key": lru_cache(None, key=lambda n: (n, n)),
        "copy": lru_cache(None, copy=True),
        "no single flight": lru_cache(None, single_flight=False),
        "nothing stored": lru_cache(0),
        "two caches": lambda f: cache(cache(f)),
        "shared": lambda f: lru_cache(**shared)(f),
        "shared, ttl": lambda f: lru_cache(ttl=100, **shared)(f),
    }


def recurse(kind, limits, stack):
    """Recurse under each limit, and print how many levels there were."""
    entered = 0

    def make():
        @decorators(folder)[kind]
        async def f(n):
            nonlocal entered
            entered += 1
            if n == 0:
                await asyncio.sleep(0)
                return 0
            return await (f.cache_refresh(n - 1) if kind == "refresh" else f(n - 1)) + 1

        return f

    def reached(f, n):
        nonlocal entered
        getattr(f, "cache_clear", int)()
        entered = 0
        loop = asyncio.new_event_loop()
        try:
            outcome = loop.run_until_complete(f(n))
        except RecursionError:
            outcome = "RecursionError"
        depth = entered
        # The cache works on, and in the same loop.
        assert loop.run_until_complete(f(5)) == 5
        loop.close()
        return depth, outcome

    def reach(limit, n):
        f = make()
        reached(f, 50)
        first, second = (reached(f, n) for _ in range(2))
        assert first == second, (kind, limit, first, second)
        assert first[1] in (n, "RecursionError"), (kind, limit, first)
        return first[0]

    with tempfile.TemporaryDirectory() as folder:
        print_depths(reach, limits, stack)
