"""What free-threaded builds promise beside what test_threads.py asks of all: hits without a lock, memory given back."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from helpers.marks import for_free_threaded_builds
from helpers.subprocess_tools import run_child, run_function


def retained(maxsize, threads, calls):
    """How many values live beside the entries, while threads that only hit keep them from being dropped."""
    import threading

    from tamis import lru_cache

    lock = threading.Lock()
    live = [0]

    class Value:
        def __init__(self):
            with lock:
                live[0] += 1

        def __del__(self):
            with lock:
                live[0] -= 1

    @lru_cache(maxsize=maxsize)
    def f(x):
        return Value()

    done = threading.Event()
    start = threading.Barrier(threads + 1)
    most = 0

    def hit():
        f(-5)
        start.wait()
        while not done.is_set():
            for _ in range(1000):
                f(-5)

    readers = [threading.Thread(target=hit) for _ in range(threads)]
    for thread in readers:
        thread.start()
    start.wait()
    for number in range(calls):
        f(number)
        if number % 7 == 0:
            most = max(most, live[0] - f.cache_info().currsize)
    done.set()
    for thread in readers:
        thread.join()
    readers_count = threads + 1
    assert most >= 0, most
    # As docs/architecture.md says it.
    assert most <= 4 * (min(max(maxsize, 16), 256) + 2 * readers_count) + 5 * readers_count, most
    f.cache_clear()
    assert live[0] == 0, live
    print("done")


@pytest.mark.parametrize("maxsize", [1, 20, 500])
def test_what_has_left_and_still_lives_is_bounded(maxsize):
    assert run_function(retained, maxsize, 3, 5_000) == "done\n"


def alone(maxsize):
    """One thread's evicted values go at once."""
    import weakref

    from tamis import lru_cache

    class Value:
        pass

    made = []

    @lru_cache(maxsize=maxsize)
    def f(x):
        value = Value()
        made.append(weakref.ref(value))
        return value

    for number in range(500):
        f(number)
        assert sum(reference() is not None for reference in made) == min(number + 1, maxsize)
    f.cache_invalidate(499)
    assert sum(reference() is not None for reference in made) == maxsize - 1
    print("done")


@pytest.mark.parametrize("maxsize", [1, 3, 100])
def test_with_one_thread_what_leaves_is_dropped_at_once(maxsize):
    assert run_function(alone, maxsize) == "done\n"


def clear_with_idle_threads():
    """Threads that have called and now sleep keep nothing from going."""
    import threading
    import weakref

    from tamis import lru_cache

    class Value:
        pass

    @lru_cache(maxsize=50)
    def f(x):
        return Value()

    called, end = threading.Barrier(5), threading.Event()

    def call():
        for number in range(200):
            f(number)
        called.wait()
        end.wait()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    called.wait()
    # Made by this thread: CPython drops what belongs to a thread that sleeps when that wakes.
    references = [weakref.ref(f(number)) for number in range(1000, 1300)]
    assert any(reference() is not None for reference in references)
    f.cache_clear()
    assert all(reference() is None for reference in references)
    end.set()
    for thread in threads:
        thread.join()
    print("done")


def test_clearing_drops_everything_at_once_when_no_thread_is_inside():
    assert run_function(clear_with_idle_threads) == "done\n"


def many_threads_one_after_the_other(threads):
    """Threads that have ended leave nothing behind but a record that the next one takes over."""
    import gc
    import sys
    import threading

    from tamis import lru_cache

    f = lru_cache(maxsize=4)(lambda x: x)

    def call():
        for number in range(6):
            assert f(number) == number

    def burst(count):
        for _ in range(count // 4):
            running = [threading.Thread(target=call) for _ in range(4)]
            for thread in running:
                thread.start()
            for thread in running:
                thread.join()

    burst(threads // 2)
    gc.collect()
    before = sys.getallocatedblocks()
    burst(threads // 2)
    gc.collect()
    assert sys.getallocatedblocks() < before + 2000
    info = f.cache_info()
    assert info.hits + info.misses == 6 * (threads // 4 * 4), info
    print("done")


def test_threads_that_have_ended_are_counted_and_leave_nothing():
    assert run_function(many_threads_one_after_the_other, 400) == "done\n"


def sharing(version):
    import gc
    import sys
    import threading
    import weakref

    from tamis import lru_cache

    def in_a_thread(work):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    # Called by the thread that made it alone: an object as any other.
    own = lru_cache(maxsize=4)(str)
    own(1)
    assert sys.getrefcount(own) < 10
    reference = weakref.ref(own)
    del own
    gc.collect()
    assert reference() is None

    made_there = []

    def make_and_call():
        wrapper = lru_cache(maxsize=4)(str)
        wrapper(1)
        made_there.append(weakref.ref(wrapper))

    in_a_thread(make_and_call)
    gc.collect()
    assert made_there[0]() is None

    # Called by two threads: its count is no place for them to meet.
    shared = lru_cache(maxsize=4)(str)
    shared(1)
    in_a_thread(lambda shared=shared: shared(1))
    if version < (3, 14):
        assert sys.getrefcount(shared) > 1 << 30
    reference = weakref.ref(shared)
    shared.cache_clear()
    del shared
    gc.collect()
    assert (reference() is None) == (version >= (3, 14))
    print("done")


@for_free_threaded_builds
def test_only_a_cache_that_threads_share_stops_counting_its_references():
    assert run_function(sharing, sys.version_info[:2]) == "done\n"


def counted_while_shared(calls):
    """The owner counts references as fast as it can while another thread's call makes the wrapper shared."""
    import threading

    from tamis import lru_cache

    for _ in range(calls):
        f = lru_cache(maxsize=4)(str)
        references = []
        started, shared = threading.Event(), threading.Event()

        def call(f=f, started=started, shared=shared):
            started.wait()
            f(1)
            f(2)
            shared.set()

        thread = threading.Thread(target=call)
        thread.start()
        started.set()
        while not shared.is_set():
            references.extend([f] * 5)
            del references[:]
        thread.join()
        assert f(1) == "1"
        del f, call
    print("done")


@for_free_threaded_builds
def test_becoming_shared_while_the_owner_counts_is_safe():
    assert run_function(counted_while_shared, 300) == "done\n"


def test_stress_for_some_seconds():
    script = Path(__file__).with_name("stress.py").read_text(encoding="utf-8")
    arguments = "import sys; sys.argv[1:] = ['--seconds', '8', '--round', '0.4', '--threads', '8']\n"
    source = script.replace("from __future__ import annotations\n", arguments, 1)
    assert run_child(source, seconds=120).splitlines()[-1].startswith("done")


def arguments_of_a_replaced_entry():
    """The collector must not take the arguments of a replaced entry for garbage that somebody still holds."""
    import gc
    import threading

    from tamis import lru_cache

    class Argument:
        pass

    def make(puts):
        argument = Argument()
        argument.whole = True

        @lru_cache(maxsize=64)
        def f(a, b):
            return a is b

        f.cycle = f
        f(argument, 1)
        f(argument, 1)
        for number in range(puts):
            thread = threading.Thread(target=f.cache_put, args=(number, argument, 1))
            thread.start()
            thread.join()
        return argument

    for puts in range(4):
        argument = make(puts)
        gc.collect()
        assert argument.__dict__ == {"whole": True}, puts
    print("done")


def test_a_replaced_entry_leaves_its_arguments_alone():
    assert run_function(arguments_of_a_replaced_entry) == "done\n"


def replaced_while_called(seconds):
    """A key that is always there is never computed again, however often its value is replaced."""
    import threading
    import time

    from tamis import lru_cache

    computed = []

    @lru_cache(maxsize=8)
    def f(x):
        computed.append(x)
        return x

    f(5)
    done = threading.Event()

    def put():
        while not done.is_set():
            for _ in range(100):
                f.cache_put(0, 5)

    putting = threading.Thread(target=put)
    putting.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(1000):
            f(5)
    done.set()
    putting.join()
    assert computed == [5], len(computed)
    print("done")


def test_an_entry_whose_value_is_replaced_is_always_there():
    assert run_function(replaced_while_called, 2) == "done\n"
