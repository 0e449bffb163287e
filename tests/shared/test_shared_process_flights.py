"""Processes that miss together in a shared cache compute once, whatever happens to the one that computes."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
import time

import pytest

from helpers.marks import for_shared_caches, forks_beside_threads, has_two_functions_of_one_name
from helpers.process_tools import (
    SECONDS,
    forked,
    note,
    notes,
    results_of,
    shared_cache,
    start_process,
    wait_for,
    wait_until_noted,
)

pytestmark = [for_shared_caches, has_two_functions_of_one_name, forks_beside_threads]


# ---- single flight --------------------------------------------------------------------------------------------------


def call_slowly(path, seconds, fails, key, sender):
    def compute(x):
        note(path, x)
        time.sleep(seconds)
        if fails:
            raise ZeroDivisionError
        return [x]

    f = shared_cache(path, compute, single_flight=True)
    sender.send("ready")
    try:
        sender.send(f(key))
    except ZeroDivisionError:
        sender.send("error")


def test_processes_that_miss_together_compute_once(context, tmp_path):
    shared_cache(tmp_path, len, single_flight=True)
    started = [start_process(context, call_slowly, tmp_path, 1.5, False, 7) for _ in range(3)]
    for _, receiver in started:
        assert receiver.poll(SECONDS)
        assert receiver.recv() == "ready"
    assert results_of(started) == [[7]] * 3
    assert notes(tmp_path) == ["7"]
    f = shared_cache(tmp_path, len, single_flight=True)
    assert f.cache_stats()["coalesced"] == 2
    assert f.cache_info()[:2] == (2, 1)


def await_slowly(path, seconds, key, sender):
    async def compute(x):
        note(path, x)
        await asyncio.sleep(seconds)
        return [x]

    f = shared_cache(path, compute)

    async def main():
        return await asyncio.gather(f(key), f(key))

    sender.send("ready")
    sender.send(asyncio.run(main()))


def test_coroutines_of_processes_that_miss_together_compute_once(context, tmp_path):
    shared_cache(tmp_path, len)
    started = [start_process(context, await_slowly, tmp_path, 1.5, 7) for _ in range(3)]
    for _, receiver in started:
        assert receiver.poll(SECONDS)
        assert receiver.recv() == "ready"
    assert results_of(started) == [[[7], [7]]] * 3
    assert notes(tmp_path) == ["7"]


def test_coroutine_whose_leader_is_killed_goes_on(tmp_path):
    process, receiver = start_process(multiprocessing.get_context("fork"), await_slowly, tmp_path, SECONDS, 7)
    assert receiver.recv() == "ready"
    wait_until_noted(tmp_path)
    killer = forked(lambda: (time.sleep(0.3), os.kill(process.pid, signal.SIGKILL)))

    async def compute(x):
        return [x]

    assert asyncio.run(shared_cache(tmp_path, compute)(7)) == [7]
    assert wait_for(killer) == 0
    process.join()


def test_error_of_one_process_is_not_another_ones(tmp_path):
    context = multiprocessing.get_context("fork")
    started = [start_process(context, call_slowly, tmp_path, 0.3, True, 7) for _ in range(3)]
    for _, receiver in started:
        assert receiver.recv() == "ready"
    assert results_of(started) == ["error"] * 3
    assert notes(tmp_path) == ["7"] * 3


def test_leader_that_is_killed_is_replaced(tmp_path):
    f = shared_cache(tmp_path, lambda x: [x], single_flight=True)
    process, receiver = start_process(multiprocessing.get_context("fork"), call_slowly, tmp_path, SECONDS, False, 7)
    assert receiver.recv() == "ready"
    wait_until_noted(tmp_path)
    killer = forked(lambda: (time.sleep(0.3), os.kill(process.pid, signal.SIGKILL)))
    begun = time.monotonic()
    assert f(7) == [7]
    assert time.monotonic() - begun < SECONDS / 2
    assert wait_for(killer) == 0
    process.join()


def test_signal_interrupts_a_wait_for_another_process(tmp_path):
    f = shared_cache(tmp_path, lambda x: [x], single_flight=True)
    process, receiver = start_process(multiprocessing.get_context("fork"), call_slowly, tmp_path, SECONDS, False, 7)
    assert receiver.recv() == "ready"
    wait_until_noted(tmp_path)

    def handler(number, frame):
        raise InterruptedError("by the alarm")

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(InterruptedError, match="alarm"):
            f(7)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        process.kill()
        process.join()


def test_coroutine_that_ends_in_another_thread_leaves_this_one_waiting_for_others(tmp_path):
    async def endless(x):
        await asyncio.sleep(SECONDS)

    async def begin():
        task = asyncio.ensure_future(shared_cache(tmp_path, endless, name="endless")(1))
        await asyncio.sleep(0)
        return task

    loop = asyncio.new_event_loop()
    task = loop.run_until_complete(begin())
    task._log_destroy_pending = False
    closing = threading.Thread(target=task.get_coro().close)
    closing.start()
    closing.join(SECONDS)
    loop.close()

    process, receiver = start_process(multiprocessing.get_context("fork"), call_slowly, tmp_path, 1.0, False, 7)
    assert receiver.recv() == "ready"
    wait_until_noted(tmp_path)
    own = []
    assert shared_cache(tmp_path, own.append, single_flight=True)(7) == [7]
    assert not own
    process.join(SECONDS)


def test_processes_that_wait_for_each_other_in_a_ring_go_on(tmp_path):
    """Each computes what the other needs: one process alone would end, so two must."""

    def child(first, second):
        depth = []

        def compute(x):
            depth.append(x)
            time.sleep(0.3)
            return [x] if len(depth) > 1 else [x, *f(second if x == first else first)]

        f = shared_cache(tmp_path, compute, single_flight=True)
        assert f(first)[0] == first

    children = [forked(lambda: child("a", "b")), forked(lambda: child("b", "a"))]
    assert [wait_for(child) for child in children] == [0, 0]
