"""Coroutine functions that await themselves through a cache, as deep as the recursion limit and the stack let them."""

from __future__ import annotations

import functools
import sys

import pytest

from helpers.recursion_tools import levels_in_child
from helpers.subprocess_tools import run_function

depths = functools.partial(levels_in_child, "recursive_coroutines")
KINDS = [
    "bound",
    "no bound",
    "ttl",
    "key",
    "copy",
    "no single flight",
    "nothing stored",
    "two caches",
    "shared",
    "shared, ttl",
    "refresh",
]


@pytest.mark.parametrize("kind", KINDS)
def test_awaiting_beyond_the_limit_and_the_stack_raises_and_never_crashes(kind):
    depths(kind, (20_000, 30_000), (10**6, 100_000))


@pytest.mark.parametrize("kind", ["no bound", "two caches", "shared"])
def test_awaiting_in_a_thread_with_a_small_stack_raises_and_never_crashes(kind):
    main, other = depths(kind, (10**6, 100_000), stack=256 << 10)
    assert 50 < other < main


@pytest.fixture(scope="module")
def undecorated_depths():
    return depths("none", (1000, 2000))


@pytest.mark.parametrize("kind", KINDS)
def test_at_the_default_limit_awaiting_goes_as_deep_as_without_a_cache(kind, undecorated_depths):
    for own, other in zip(depths(kind, (1000, 2000)), undecorated_depths, strict=True):
        if sys.version_info[:2] == (3, 12):
            # Its releases differ in how many calls of C code may nest: at least 1,500, of which a level takes two.
            other = min(other, 740)
        assert own >= other - 2


def cancel_deep():
    """A task that waits at the end of a long chain is cancelled, and others wait for flights of that chain."""
    import asyncio

    from tamis import cache

    DEPTH = 700
    begun = []

    @cache
    async def f(n):
        begun.append(n)
        if n == 0:
            await asyncio.sleep(60 if len(begun) == DEPTH + 1 else 0)
            return 0
        return await f(n - 1) + 1

    async def main():
        leader = asyncio.create_task(f(DEPTH))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert begun == list(range(DEPTH, -1, -1))
        followers = [asyncio.create_task(f(n)) for n in (DEPTH, DEPTH // 2, 1, 0)]
        await asyncio.sleep(0.01)
        leader.cancel()
        # Each of them leads, or follows another one of them.
        assert await asyncio.wait_for(asyncio.gather(*followers), 30) == [DEPTH, DEPTH // 2, 1, 0]
        assert leader.cancelled()
        assert await f(DEPTH) == DEPTH

    asyncio.run(main())
    print("done")


def test_a_deep_chain_is_cancelled_as_a_whole_and_those_who_wait_go_on():
    assert run_function(cancel_deep) == "done\n"


def fail_at_the_limit(where):
    """Tasks wait for flights that fail where calls nest as deep as they may, or nearly so."""
    import asyncio
    import sys
    import threading

    from tamis import cache

    sys.setrecursionlimit(400)
    begun = []
    pause_at, go_on = None, threading.Event()

    @cache
    async def f(n):
        begun.append(n)
        if n == pause_at:
            while not go_on.is_set():
                await asyncio.sleep(0.001)
        return await f(n + 1)

    async def lead():
        return await asyncio.gather(f(0), return_exceptions=True)

    async def follow(numbers):
        return await asyncio.gather(*(f(n) for n in numbers), return_exceptions=True)

    async def main():
        nonlocal pause_at
        await lead()
        deepest = max(begun)
        # The pause takes room, too: each time at another level, until it fits.
        for pause_at in range(deepest, deepest - 9, -1):
            go_on.clear()
            begun.clear()
            leader = asyncio.create_task(lead())
            for _ in range(3):
                await asyncio.sleep(0.001)
            if leader.done():
                continue
            numbers = range(pause_at, -1, -1)
            if where == "here":
                following = asyncio.create_task(follow(numbers))
            else:
                following = asyncio.create_task(asyncio.to_thread(asyncio.run, follow(numbers)))
            await asyncio.sleep(0.1)
            go_on.set()
            results = await asyncio.wait_for(following, 30)
            assert [type(result) for result in results] == [RecursionError] * (pause_at + 1)
            assert f.cache_info().currsize == 0
            assert f.cache_stats()["coalesced"] >= pause_at
            f.cache_clear()
            await leader
            print("woken")

    asyncio.run(main())


@pytest.mark.parametrize("where", ["here", "there"])
def test_those_who_wait_get_a_failure_at_the_limit(where):
    assert run_function(fail_at_the_limit, where).startswith("woken\n")
