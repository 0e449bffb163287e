"""Forks, and the end of the interpreter, while threads are inside of a cache."""

from __future__ import annotations

import pytest

from helpers.marks import for_systems_with_fork
from helpers.subprocess_tools import run_function


def forking(threads, forks):
    """Fork again and again while threads use one cache. The child uses it, with threads of its own, and drops it."""
    import gc
    import os
    import signal
    import threading
    import warnings

    from tamis import lru_cache

    warnings.simplefilter("ignore")

    # No lists and no cells: CPython locks them, and a child may find one locked for a thread that it hasn't got.
    @lru_cache(maxsize=16)
    def f(key):
        return (key,)

    stop = threading.Event()

    def work(f, stop, seed):
        number = seed
        while not stop.is_set():
            number += 1
            assert f(number % 40) == (number % 40,)
            if number % 1000 == 0:
                f.cache_clear()

    def call(f):
        for number in range(100):
            assert f(number % 30) == (number % 30,)

    def in_child(f, call):
        call(f)
        running = [threading.Thread(target=call, args=(f,)) for _ in range(3)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        assert f.cache_info().currsize == 16
        f.cache_clear()
        assert f.cache_info().currsize == 0
        return lru_cache(maxsize=4)(str)(5) == "5"

    running = [threading.Thread(target=work, args=(f, stop, seed)) for seed in range(threads)]
    for thread in running:
        thread.start()
    try:
        for _ in range(forks):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                status = 1
                try:
                    status = 0 if in_child(f, call) else 2
                    del f
                    gc.collect()
                finally:
                    os._exit(status)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert status == 0, status
    finally:
        stop.set()
        for thread in running:
            thread.join()
    print("done")


@for_systems_with_fork
def test_a_child_forked_while_threads_are_inside_can_use_clear_and_drop_the_cache():
    assert run_function(forking, 4, 150, seconds=120) == "done\n"


def exiting(kind):
    """The interpreter ends while daemon threads hit, miss and clear: one cache, or each its own, with finalizers.

    CPython 3.13 hands its locks over to threads that sleep, and one that wakes when the interpreter ends never gives
    back what it was given. Then the interpreter itself waits for ever, without any cache: for the lock of a closure's
    cell, or of the list of objects that others than their threads have dropped. So threads share no cell here, and drop
    nothing that another one has made.
    """
    import threading
    import time

    from tamis import lru_cache

    def own_cache():
        class Value:
            def __del__(self):
                f.cache_contains(1)

        @lru_cache(maxsize=8)
        def f(x):
            return Value()

        return f

    def work(seed, f):
        number = seed
        while True:
            number += 1
            f(number % 20)
            if number % 500 == 0:
                f.cache_clear()

    # Small numbers belong to no thread.
    shared = lru_cache(maxsize=8)(lambda x: x)
    for seed in range(6):
        f = shared if kind == "one cache" else own_cache()
        threading.Thread(target=work, args=(seed, f), daemon=True).start()
    time.sleep(0.05)
    print("exit")


@pytest.mark.parametrize("kind", ["one cache", "caches with finalizers"])
def test_the_interpreter_can_end_while_daemon_threads_are_inside(kind):
    for _ in range(8):
        assert run_function(exiting, kind, seconds=20) == "exit\n"


def fork_between_finalizers():
    """A fork while a thread drops what it has reclaimed: the child drops what waits all the same."""
    import os
    import signal
    import threading
    import warnings

    from tamis import lru_cache

    warnings.simplefilter("ignore")
    live = [0]
    lock = threading.Lock()
    inside, forked = threading.Event(), threading.Event()
    block = [False]

    class Value:
        def __init__(self):
            with lock:
                live[0] += 1

        def __del__(self):
            with lock:
                live[0] -= 1
            if block[0] and threading.current_thread() is evicting:
                block[0] = False
                inside.set()
                forked.wait()

    @lru_cache(maxsize=64)
    def f(x):
        return Value()

    ready, end = threading.Event(), threading.Event()

    def hit():
        f(-1)
        ready.set()
        end.wait()

    def evict():
        number = 0
        block[0] = True
        while not inside.is_set():
            number += 1
            f(number)

    hitting = threading.Thread(target=hit)
    hitting.start()
    ready.wait()
    f(0)
    evicting = threading.Thread(target=evict)
    evicting.start()
    inside.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        for number in range(20_000):
            f(1_000_000 + number)
        # None of those from before the fork, and what waits now; one more is inside the finalizer for ever.
        os._exit(0 if live[0] <= 64 + 4 * (64 + 2 * 4) + 5 * 4 + 1 else 3)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    forked.set()
    end.set()
    evicting.join()
    hitting.join()
    assert status == 0, status
    print("done")


@for_systems_with_fork
def test_a_child_forked_while_a_thread_drops_entries_goes_on_dropping():
    assert run_function(fork_between_finalizers) == "done\n"
