"""Event loops, contexts, threads and processes around cached coroutine functions."""

from __future__ import annotations

import asyncio
import contextvars
import threading

from helpers.coroutine_tools import run
from helpers.marks import for_systems_with_fork
from helpers.subprocess_tools import run_function
from tamis import cache


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
