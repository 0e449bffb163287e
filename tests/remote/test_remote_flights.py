"""One computation over all processes, by a lease that its owner keeps while it lives."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time

import pytest

import tamis
from helpers.server_tools import Child, eventually

THREADS = """
import os, sys, threading, time
import tamis
from tamis.remote import Redis

url, namespace, log, count = sys.argv[1:]
tier = Redis(url, namespace=namespace, timeout=5)

@tamis.lru_cache(backend=tier, name="cold", single_flight=True)
def f(x):
    with open(log, "a") as file:
        print(os.getpid(), file=file)
    time.sleep(0.3)
    return [x]

f(0)
results = []
start = threading.Barrier(int(count) + 1)
def work():
    start.wait()
    results.append(f(1))
threads = [threading.Thread(target=work) for _ in range(int(count))]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.readline()
start.wait()
for thread in threads:
    thread.join()
assert results == [[1]] * int(count), results
print("done", flush=True)
"""

TASKS = """
import asyncio, os, sys
import tamis
from tamis.remote import Redis

url, namespace, log, count = sys.argv[1:]
tier = Redis(url, namespace=namespace, timeout=5)

@tamis.lru_cache(backend=tier, name="cold")
async def f(x):
    with open(log, "a") as file:
        print(os.getpid(), file=file)
    await asyncio.sleep(0.3)
    return [x]

async def main():
    await f(0)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    assert await asyncio.gather(*(f(1) for _ in range(int(count)))) == [[1]] * int(count)

asyncio.run(main())
print("done", flush=True)
"""


@pytest.mark.parametrize(("code", "processes", "count"), [(THREADS, 6, 16), (TASKS, 4, 300)], ids=["threads", "tasks"])
def test_one_cold_key_is_computed_once(server, namespace, tmp_path, code, processes, count):
    log = tmp_path / "log"
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(Child(code, server.url, namespace, log, count)) for _ in range(processes)]
        assert {child.says() for child in children} == {"ready"}
        before = log.read_text().count("\n")
        for child in children:
            child.tell()
        assert {child.says() for child in children} == {"done"}
    assert before >= 1
    assert log.read_text().count("\n") == before + 1


OWNER = """
import os, sys, time
import tamis
from tamis.remote import Redis

url, namespace, seconds, lease = sys.argv[1:]
tier = Redis(url, namespace=namespace, lease=float(lease), timeout=5)

@tamis.lru_cache(backend=tier, name="owned", single_flight=True)
def f(x):
    print("computes", flush=True)
    time.sleep(float(seconds))
    return "owner"

f(1)
print("done", flush=True)
time.sleep(30)
"""


def owned(tier):
    return tamis.lru_cache(backend=tier, name="owned", single_flight=True)(lambda x: "other")


def test_living_owner_keeps_its_lease(make_tier, shared_server, namespace):
    with Child(OWNER, shared_server.url, namespace, 4, 2) as owner:
        assert owner.says() == "computes"
        f = owned(make_tier(shared_server, lease=2))
        assert f(1) == "owner"
        assert f.cache_info()[:2] == (1, 0)


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGSTOP])
def test_owner_that_gives_no_sign_of_life_is_replaced(make_tier, shared_server, namespace, way):
    with Child(OWNER, shared_server.url, namespace, 1, 0.4) as owner:
        assert owner.says() == "computes"
        owner.send_signal(way)
        f = owned(make_tier(shared_server, lease=0.4))
        begun = time.monotonic()
        assert f(1) == "other"
        assert time.monotonic() - begun < 8
        if way == signal.SIGSTOP:
            # What it stores now is refused.
            time.sleep(1)
            owner.send_signal(signal.SIGCONT)
            assert owner.says() == "done"
            time.sleep(0.1)
            assert owned(make_tier(shared_server))(1) == "other"


def test_waiter_is_told_by_the_push_and_does_not_poll(make_tier, shared_server, monkeypatch):
    # Who would wait for the pause to end would be late.
    monkeypatch.setattr("tamis.remote._steps._FIRST_PAUSE", 60)
    monkeypatch.setattr("tamis.remote._steps._LONGEST_PAUSE", 60)
    begun, go_on = threading.Event(), threading.Event()

    def slow(x):
        begun.set()
        go_on.wait(10)
        return x

    f, g = (tamis.cache(slow, backend=make_tier(shared_server), name="told", single_flight=True) for _ in range(2))
    leader = threading.Thread(target=f, args=(1,))
    leader.start()
    assert begun.wait(5)
    ended = []
    follower = threading.Thread(target=lambda: (g(1), ended.append(time.monotonic())))
    follower.start()
    time.sleep(0.3)
    released = time.monotonic()
    go_on.set()
    follower.join()
    leader.join()
    assert ended[0] - released < 10
    assert g.cache_info()[:2] == (1, 0)


@pytest.mark.parametrize("way", ["invalidate", "clear", "put"])
def test_computation_whose_entry_was_changed_meanwhile_is_stored_nowhere(make_tier, shared_server, way):
    begun, go_on, results = threading.Event(), threading.Event(), []

    def slow(x):
        begun.set()
        go_on.wait(10)
        return "old"

    f = tamis.cache(slow, backend=make_tier(shared_server), name="fenced", single_flight=True)
    g = tamis.cache(lambda x: "new", backend=make_tier(shared_server), name="fenced", single_flight=True)
    leader = threading.Thread(target=lambda: results.append(f(1)))
    leader.start()
    assert begun.wait(5)
    {"invalidate": lambda: g.cache_invalidate(1), "clear": g.cache_clear, "put": lambda: g.cache_put("new", 1)}[way]()
    go_on.set()
    leader.join()
    assert results == ["old"]
    assert f.cache_parameters()["backend"].stats()["leases"] == 0
    assert f.cache_contains(1) == (way == "put")
    assert g(1) == "new"
    eventually(lambda: f(1) == "new")


def test_failed_computation_lets_another_try(make_tier, shared_server):
    begun, go_on = threading.Event(), threading.Event()

    def failing(x):
        begun.set()
        go_on.wait(10)
        raise ValueError(x)

    f = tamis.cache(failing, backend=make_tier(shared_server), name="failing", single_flight=True)
    g = tamis.cache(lambda x: x, backend=make_tier(shared_server), name="failing", single_flight=True)
    errors, results = [], []

    def lead():
        try:
            f(1)
        except ValueError as error:
            errors.append(error)

    threads = [threading.Thread(target=lead), threading.Thread(target=lambda: results.append(g(1)))]
    threads[0].start()
    assert begun.wait(5)
    threads[1].start()
    time.sleep(0.1)
    go_on.set()
    for thread in threads:
        thread.join()
    assert len(errors) == 1
    assert results == [1]


def test_call_inside_of_its_own_computation_computes(tier):
    depth = []

    @tamis.cache(backend=tier, name="nested", single_flight=True)
    def f(x):
        depth.append(x)
        return f(x) if len(depth) < 3 else x

    assert f(1) == 1
    assert len(depth) == 3


def test_cancelled_task_gives_its_lease_back(make_tier, shared_server):
    tier = make_tier(shared_server, lease=60)
    begun = []

    @tamis.cache(backend=tier, name="cancelled")
    async def f(x):
        begun.append(x)
        if len(begun) == 1:
            await asyncio.sleep(60)
        return x

    async def main():
        task = asyncio.create_task(f(1))
        while not begun:
            await asyncio.sleep(0.01)
        assert tier.stats()["leases"] == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert tier.stats()["leases"] == 0
        assert await asyncio.wait_for(f(1), 10) == 1

    asyncio.run(main())


def test_tasks_that_are_cancelled_at_any_time_leave_no_lease(make_tier, shared_server):
    tier = make_tier(shared_server, lease=60)

    @tamis.cache(backend=tier, name="cancelled-anywhere")
    async def f(x):
        await asyncio.sleep(0.001)
        return x

    async def main():
        for number in range(60):
            task = asyncio.create_task(f(number))
            await asyncio.sleep(number % 12 / 5000)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert tier.stats()["leases"] == 0
        for number in range(60):
            assert await asyncio.wait_for(f(number), 10) == number

    asyncio.run(main())


def test_coroutine_that_is_thrown_away_gives_its_lease_back(make_tier, shared_server):
    tier = make_tier(shared_server, lease=60)

    @tamis.cache(backend=tier, name="thrown-away")
    async def f(x):
        await asyncio.sleep(60)

    async def main():
        task = asyncio.ensure_future(f(1))
        while not tier.stats()["leases"]:
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(main())
    assert tier.stats()["leases"] == 0


def test_interrupted_wait(make_tier, shared_server, namespace):
    def interrupt(*_):
        raise KeyboardInterrupt

    with Child(OWNER, shared_server.url, namespace, 20, 10) as owner:
        assert owner.says() == "computes"
        f = owned(make_tier(shared_server))
        f.cache_contains(2)
        previous = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        try:
            begun = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                f(1)
            assert time.monotonic() - begun < 8
        finally:
            signal.signal(signal.SIGALRM, previous)


@pytest.mark.parametrize("way", ["invalidate", "put", "clear"])
def test_computation_without_a_lease_is_fenced_as_well(make_tier, shared_server, way):
    begun, go_on = threading.Event(), threading.Event()

    def slow(x):
        begun.set()
        go_on.wait(10)
        return "old"

    f = tamis.cache(slow, backend=make_tier(shared_server), name="fenced-without")
    g = tamis.cache(lambda x: "new", backend=make_tier(shared_server), name="fenced-without")
    g.cache_invalidate(1)
    leader = threading.Thread(target=f, args=(1,))
    leader.start()
    assert begun.wait(5)
    {"invalidate": lambda: g.cache_invalidate(1), "clear": g.cache_clear, "put": lambda: g.cache_put("new", 1)}[way]()
    go_on.set()
    leader.join()
    assert g.cache_contains(1) == (way == "put")
    assert g(1) == "new"
    # And what is computed after the change is stored.
    g.cache_invalidate(1)
    assert g(1) == "new"
    assert g.cache_contains(1)
