"""single_flight: concurrent misses of one key compute once, and errors go to all who wait."""

from __future__ import annotations

import threading
import time

import pytest

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


@pytest.mark.parametrize("value", [0, 1, "yes"])
def test_single_flight_is_true_or_false(value):
    with pytest.raises(TypeError, match="single_flight takes True or False"):
        cache(single_flight=value)


def test_hits_of_a_flight_are_copies_where_copies_are_asked_for():
    f = cache(single_flight=True, copy=True)(lambda x: [x])
    assert f(1) is not f(1)


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
