"""single_flight: nobody waits for ever: in rings of threads, behind signals, after forks and at the exit."""

from __future__ import annotations

import pytest

from helpers.marks import for_systems_with_alarms, for_systems_with_fork
from helpers.subprocess_tools import run_function
from tamis import cache, lru_cache


def ring(caches):
    """Threads that each lead a flight and then call the next one's cache: somebody computes for itself."""
    import threading

    from tamis import cache

    met = threading.Barrier(caches)
    seen = threading.local()

    def link(number):
        @cache(single_flight=True)
        def g(key):
            if hasattr(seen, "leads"):
                return [number]
            seen.leads = True
            met.wait()
            return [number, links[(number + 1) % caches](key)]

        return g

    links = [link(number) for number in range(caches)]
    results = {}

    def work(number):
        results[number] = links[number](7)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(caches)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(caches))
    assert all(result[0] == number for number, result in results.items()), results
    print("done")


@pytest.mark.parametrize("caches", [2, 3, 5])
def test_a_ring_of_threads_does_not_wait_for_itself(caches):
    assert run_function(ring, caches, seconds=20) == "done\n"


def test_own_flight_that_is_entered_again_is_computed_again():
    depth = []

    @lru_cache(maxsize=10, single_flight=True)
    def f(n):
        depth.append(n)
        return f(n) if len(depth) < 4 else len(depth)

    assert f(1) == 4
    assert depth == [1] * 4
    assert f(1) == 4


def test_recursion_over_other_keys_works():
    @cache(single_flight=True)
    def fibonacci(n):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    assert fibonacci(80) == 23416728348467685
    assert fibonacci.cache_info() == (78, 81, None, 81)
    assert fibonacci.cache_stats()["coalesced"] == 0


def interrupted():
    """A thread that waits handles signals: the main thread's wait ends by one that raises."""
    import signal
    import threading
    import time

    from tamis import cache

    inside, go = threading.Event(), threading.Event()

    @cache(single_flight=True)
    def f(key):
        inside.set()
        go.wait()
        return key

    leader = threading.Thread(target=f, args=(1,))
    leader.start()
    inside.wait()

    class Alarm(Exception):
        pass

    def ring(*_):
        raise Alarm

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    begin = time.monotonic()
    try:
        f(1)
    except Alarm:
        print("interrupted")
    assert time.monotonic() - begin < 5
    go.set()
    leader.join()
    assert f(1) == 1
    handled = []
    signal.signal(signal.SIGALRM, lambda *_: handled.append(1))
    go.clear()
    inside.clear()
    f.cache_clear()
    leader = threading.Thread(target=f, args=(1,))
    leader.start()
    inside.wait()
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    threading.Timer(0.6, go.set).start()
    assert f(1) == 1
    assert handled == [1]
    leader.join()


@for_systems_with_alarms
def test_a_signal_reaches_a_thread_that_waits():
    assert run_function(interrupted) == "interrupted\n"


def many_things_at_once(threads, seconds):
    """Functions that sleep, raise, and call other cached functions, from many threads."""
    import contextlib
    import random
    import threading
    import time

    from tamis import lru_cache

    class Refused(Exception):
        pass

    functions = []

    def make(number):
        @lru_cache(maxsize=8, single_flight=True)
        def f(key, depth=0):
            time.sleep(0.001 * (key % 3))
            if key % 7 == 6:
                raise Refused(key)
            if depth < 3:
                other = functions[(number + key) % len(functions)]
                with contextlib.suppress(Refused):
                    other((key * 5 + number) % 20, depth + 1)
            return [number, key]

        return f

    functions.extend(make(number) for number in range(4))
    end = time.monotonic() + seconds
    errors = []

    def work(seed):
        chance = random.Random(seed)
        while time.monotonic() < end:
            number, key = chance.randrange(4), chance.randrange(20)
            try:
                value = functions[number](key)
            except Refused as error:
                if error.args != (key,):
                    errors.append((error, key))
                continue
            if value != [number, key]:
                errors.append((value, number, key))
            if chance.random() < 0.02:
                functions[number].cache_clear()

    running = [threading.Thread(target=work, args=(seed,)) for seed in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert errors == [], errors[:3]
    assert sum(f.cache_stats()["coalesced"] for f in functions) > 0
    print("done")


def test_nothing_hangs_where_flights_cross():
    assert run_function(many_things_at_once, 40, 4, seconds=60) == "done\n"


@for_systems_with_fork
def test_a_flight_of_before_a_fork_is_not_waited_for():
    assert run_function(fork_in_flight) == "done\n"


def fork_in_flight():
    import os
    import signal
    import threading
    import warnings

    from tamis import cache

    warnings.simplefilter("ignore")
    inside, go = threading.Event(), threading.Event()

    @cache(single_flight=True)
    def f(key):
        if not inside.is_set():
            inside.set()
            go.wait()
        return key

    leader = threading.Thread(target=f, args=(1,))
    leader.start()
    inside.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if f(1) == 1 else 3)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    go.set()
    leader.join()
    assert status == 0, status
    print("done")


def ring_behind_a_signal():
    """A handler that waits for a flight of its own does not hide what its thread waits for."""
    import signal
    import threading

    from tamis import cache

    first_in, first_go, second_in, second_go = (threading.Event() for _ in range(4))

    @cache(single_flight=True)
    def led_by_main(key):
        return led_by_first(key) if threading.current_thread() is threading.main_thread() else "own"

    @cache(single_flight=True)
    def led_by_first(key):
        first_in.set()
        first_go.wait()
        return led_by_main(key)

    @cache(single_flight=True)
    def led_by_second(key):
        second_in.set()
        second_go.wait()
        return "second"

    threads = [threading.Thread(target=f, args=(1,)) for f in (led_by_first, led_by_second)]
    for thread in threads:
        thread.start()
    first_in.wait()
    second_in.wait()

    def handler(*_):
        threading.Timer(0.2, second_go.set).start()
        assert led_by_second(1) == "second"
        threading.Timer(0.2, first_go.set).start()

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    assert led_by_main(1) == "own"
    for thread in threads:
        thread.join()
    print("done")


@for_systems_with_alarms
def test_a_ring_is_seen_behind_a_signal_handler_that_waited():
    assert run_function(ring_behind_a_signal, seconds=20) == "done\n"


def exit_in_flight():
    """A finalizer at the interpreter's end finds a flight whose leader will never go on."""
    import os
    import sys
    import threading

    from tamis import cache

    inside, never = threading.Event(), threading.Event()
    calls = []

    @cache(single_flight=True)
    def f(key):
        calls.append(key)
        if len(calls) == 1:
            inside.set()
            never.wait()
        return key

    class Last:
        def __del__(self, cached=f, write=os.write):
            cached(1)
            write(1, b"done\n")

    sys.last = Last()
    threading.Thread(target=f, args=(1,), daemon=True).start()
    inside.wait()


def test_the_interpreter_can_end_while_a_flight_is_on():
    assert run_function(exit_in_flight, seconds=20) == "done\n"
