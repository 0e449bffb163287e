"""Tasks that are cancelled or closed while they compute or wait."""

from __future__ import annotations

import asyncio

import pytest

from helpers.coroutine_tools import run
from helpers.subprocess_tools import run_function
from tamis import cache


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
