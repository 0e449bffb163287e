"""Coroutine functions that await themselves through a cache, as deep as the recursion limit and the stack let them."""

from __future__ import annotations

import sys

import pytest

from helpers.subprocess_tools import run_function


def recurse(kind, limits, stack=0):
    """Recurse twice in the main thread and twice in another, under each limit, and print how many levels there were."""
    import asyncio
    import sys
    import tempfile
    import threading

    import tamis

    folder = tempfile.TemporaryDirectory()
    shared = {"backend": "shared", "path": folder.name, "max_bytes": 8 << 20, "name": "recursion"}
    lru_cache = tamis.lru_cache
    makers = {
        "none": lambda: lambda f: f,
        "bound": lambda: lru_cache(10**6),
        "no bound": lambda: lru_cache(None),
        "ttl": lambda: lru_cache(None, ttl=100),
        "key": lambda: lru_cache(None, key=lambda n: (n, n)),
        "copy": lambda: lru_cache(None, copy=True),
        "no single flight": lambda: lru_cache(None, single_flight=False),
        "nothing stored": lambda: lru_cache(0),
        "two caches": lambda: lambda f: tamis.cache(tamis.cache(f)),
        "shared": lambda: lru_cache(**shared),
        "shared, ttl": lambda: lru_cache(ttl=100, **shared),
    }
    entered = 0
    how = "refresh" if kind == "refresh" else "call"

    def make():
        @makers["ttl" if how == "refresh" else kind]()
        async def f(n):
            nonlocal entered
            entered += 1
            if n == 0:
                await asyncio.sleep(0)
                return 0
            return await (f.cache_refresh(n - 1) if how == "refresh" else f(n - 1)) + 1

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

    def work(limit, n):
        f = make()
        reached(f, 50)
        first, second = (reached(f, n) for _ in range(2))
        assert first == second, (kind, limit, first, second)
        assert first[1] in (n, "RecursionError"), (kind, limit, first)
        depths.append(first[0])

    threading.stack_size(stack)
    depths = []
    for limit, n in limits:
        sys.setrecursionlimit(limit)
        work(limit, n)
        thread = threading.Thread(target=work, args=(limit, n))
        thread.start()
        thread.join()
    sys.setrecursionlimit(1000)
    assert len(depths) == 2 * len(limits)
    print(*depths)


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


def depths(kind, *limits, stack=0):
    printed = run_function(recurse, kind, list(limits), stack, seconds=120)
    return [int(depth) for depth in printed.split()]


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
def test_those_who_wait_hear_of_a_failure_at_the_limit(where):
    assert run_function(fail_at_the_limit, where).startswith("woken\n")
