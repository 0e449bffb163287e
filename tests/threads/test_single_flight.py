"""single_flight: concurrent misses of one key compute once, and nobody waits for ever."""

from __future__ import annotations

import threading
import time

import pytest

from helpers.marks import for_systems_with_alarms, for_systems_with_fork
from helpers.subprocess_tools import run_function
from tamis import cache, lru_cache


def together(threads, keys, calls, sleep):
    """Many threads miss few keys at once: each key is computed once a flight."""
    import threading
    import time

    from tamis import cache

    lock = threading.Lock()
    running, computed, errors = {}, [], []

    @cache(single_flight=True)
    def f(key):
        with lock:
            computed.append(key)
            running[key] = running.get(key, 0) + 1
            if running[key] > 1:
                errors.append(f"{key} is computed twice at once")
        time.sleep(sleep)
        with lock:
            running[key] -= 1
        return [key]

    start = threading.Barrier(threads)

    def work(seed):
        start.wait()
        for step in range(calls):
            key = (seed + step) % keys
            if f(key) != [key]:
                errors.append(f"a wrong value for {key}")

    running_threads = [threading.Thread(target=work, args=(seed,)) for seed in range(threads)]
    for thread in running_threads:
        thread.start()
    for thread in running_threads:
        thread.join()
    assert errors == []
    assert sorted(computed) == list(range(keys))
    info, stats = f.cache_info(), f.cache_stats()
    assert info.misses == keys, info
    assert info.hits + info.misses == threads * calls, info
    assert 0 < stats["coalesced"] <= info.hits, stats
    print("done")


def test_each_key_is_computed_once():
    assert run_function(together, 200, 20, 3, 0.02) == "done\n"


def errors_shared():
    """An error goes to all who waited for that computation, and to nobody later."""
    import threading

    from tamis import cache

    inside, go = threading.Event(), threading.Event()
    calls = []

    class Refused(Exception):
        pass

    @cache(single_flight=True)
    def f(key):
        calls.append(key)
        if len(calls) == 1:
            inside.set()
            go.wait()
            raise Refused
        return key

    results = []

    def work():
        try:
            results.append(f(1))
        except Refused as error:
            results.append(error)

    threads = [threading.Thread(target=work)]
    threads[0].start()
    inside.wait()
    threads += [threading.Thread(target=work) for _ in range(5)]
    for thread in threads[1:]:
        thread.start()
    # Until all of them sleep: a hit takes no time.
    import time

    time.sleep(0.3)
    go.set()
    for thread in threads:
        thread.join()
    assert len(calls) == 1, calls
    assert len(results) == 6
    assert all(type(result) is Refused for result in results)
    assert f(1) == 1
    assert f.cache_stats()["coalesced"] == 5
    print("done")


def test_error_is_shared_by_those_who_waited_for_it():
    assert run_function(errors_shared) == "done\n"


def handed_on(kind):
    """A leader that is called off does not call off the others: one of them computes."""
    import threading
    import time

    from tamis import cache

    inside, go = threading.Event(), threading.Event()
    calls = []
    kind = {"KeyboardInterrupt": KeyboardInterrupt, "SystemExit": SystemExit}[kind]

    @cache(single_flight=True)
    def f(key):
        calls.append(key)
        if len(calls) == 1:
            inside.set()
            go.wait()
            raise kind
        return "value"

    results = []

    def work():
        try:
            results.append(f(1))
        except BaseException as error:
            results.append(type(error))

    first = threading.Thread(target=work)
    first.start()
    inside.wait()
    others = [threading.Thread(target=work) for _ in range(6)]
    for thread in others:
        thread.start()
    time.sleep(0.3)
    go.set()
    for thread in [first, *others]:
        thread.join()
    assert sorted(map(str, results)) == sorted([str(kind), *["value"] * 6]), results
    assert calls == [1, 1]
    print("done")


@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "SystemExit"])
def test_a_leader_that_is_called_off_is_replaced(kind):
    assert run_function(handed_on, kind) == "done\n"


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


@pytest.mark.parametrize("value", [0, 1, "yes"])
def test_single_flight_is_true_or_false(value):
    with pytest.raises(TypeError, match="single_flight takes True or False"):
        cache(single_flight=value)


def test_hits_of_a_flight_are_copies_where_copies_are_asked_for():
    f = cache(single_flight=True, copy=True)(lambda x: [x])
    assert f(1) is not f(1)


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


@pytest.mark.parametrize(
    "act",
    [lambda f: f.cache_clear(), lambda f: f.cache_invalidate(1), lambda f: f.cache_put("new", 1)],
    ids=["clear", "invalidate", "put"],
)
def test_a_call_after_clearing_invalidating_or_putting_does_not_get_an_older_result(act):
    inside, go = threading.Event(), threading.Event()
    results = iter(["old", "new"])

    @cache(single_flight=True)
    def f(key):
        result = next(results)
        if result == "old":
            inside.set()
            go.wait()
        return result

    leader = threading.Thread(target=f, args=(1,))
    leader.start()
    inside.wait()
    act(f)
    assert f(1) == "new"
    go.set()
    leader.join()
    assert f(1) == "new"


@pytest.mark.parametrize("act", [lambda f: f.cache_invalidate(1), lambda f: f.cache_clear()])
def test_what_began_before_invalidating_or_clearing_is_not_stored(act):
    inside, go = threading.Event(), threading.Event()

    @cache(single_flight=True)
    def f(key):
        inside.set()
        go.wait()
        return key

    leader = threading.Thread(target=f, args=(1,))
    leader.start()
    inside.wait()
    act(f)
    go.set()
    leader.join()
    assert not f.cache_contains(1)


def test_without_any_room_concurrent_calls_still_compute_once():
    inside, go = threading.Event(), threading.Event()
    calls = []

    @lru_cache(maxsize=0, single_flight=True)
    def f(key):
        calls.append(key)
        inside.set()
        go.wait()
        return [key]

    results = []
    threads = [threading.Thread(target=lambda: results.append(f(1))) for _ in range(5)]
    threads[0].start()
    inside.wait()
    for thread in threads[1:]:
        thread.start()
    time.sleep(0.3)  # for the others to arrive; who is later computes for itself
    go.set()
    for thread in threads:
        thread.join()
    assert len(results) == 5
    assert f.cache_stats()["coalesced"] == 5 - len(calls) > 0
    assert f(1) is not f(1)
    assert f.cache_info().currsize == 0


def test_an_error_does_not_grow_with_the_threads_that_get_it():
    threads = 12
    together = threading.Barrier(threads)
    lengths = []

    @cache(single_flight=True)
    def f(key):
        time.sleep(0.1)
        raise LookupError(key)

    def fail():
        together.wait()
        try:
            f(1)
        except LookupError as error:
            caught.append(error)

    caught = []
    workers = [threading.Thread(target=fail) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for error in caught:
        traceback, length = error.__traceback__, 0
        while traceback is not None:
            traceback, length = traceback.tb_next, length + 1
        lengths.append(length)
    assert len(lengths) == threads
    # On builds without the GIL several may raise one that is shared at the same time.
    assert max(lengths) < threads
