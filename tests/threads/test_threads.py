"""Several threads in one cache: right values, a true count of calls, and never an entry too many."""

from __future__ import annotations

import pytest

from helpers.subprocess_tools import run_function


def stress(kind, threads, calls):
    """Call one small cache from several threads. Runs in a child."""
    import gc
    import threading
    import time
    import traceback

    from helpers.thread_tools import take_turns_often
    from tamis import lru_cache

    take_turns_often()

    class Text(str):
        __slots__ = ()

        def __hash__(self):
            return str.__hash__(self)

        def __eq__(self, other):
            return str.__eq__(self, other)

    class Yielding:
        def __init__(self, number):
            self.number = number

        def __hash__(self):
            return self.number % 3

        def __eq__(self, other):
            time.sleep(0)
            return self.number == other.number

    class Value:
        def __init__(self, number):
            self.number = number

        def __del__(self):
            # Back into the cache, from wherever the value was dropped.
            f.cache_info()
            f.cache_contains(self.number)

    class Refuse(Exception):
        pass

    # How a key is made of a number, and what is the same for equal keys alone.
    make, identity = {
        "big_int": (lambda number: (1 << 80) + number, lambda key: key - (1 << 80)),
        "str": (lambda number: f"key {number}", lambda key: int(key[4:])),
        "bytes": (lambda number: b"key %d" % number, lambda key: int(key[4:])),
        "float": (lambda number: number + 0.25, int),
        "tuple": (lambda number: (number, f"{number}", (0.5, None)), lambda key: key[0]),
        "str_subclass": (lambda number: Text(f"key {number}"), lambda key: int(key[4:])),
        "mixed_str": (lambda number: (Text, str)[number % 2](f"key {number // 2}"), lambda key: (type(key), key[4:])),
        "yielding_eq": (Yielding, lambda key: key.number),
    }.get(kind, (int, int))

    def function(key, extra=None, *, word=None):
        if kind == "raises" and key % 3 == 0:
            raise Refuse(key)
        return Value(identity(key)) if kind == "finalizers" else [identity(key)]

    f = lru_cache(maxsize=5, typed=kind == "mixed_str")(function)
    done = threading.Event()
    errors = []
    counts = []
    refusals = []
    start = threading.Barrier(threads + 1)

    def guarded(work):
        def run():
            try:
                work()
            except BaseException:
                errors.append(traceback.format_exc())

        return run

    def caller(seed):
        def work():
            start.wait()
            made = 0
            state = seed
            for step in range(calls):
                state = (state * 1103515245 + 12345) % (1 << 31)
                # Some keys often and all of them sometimes, so that there are hits, misses and evictions.
                key = make((state >> 16) % (4 if step % 3 else 23))
                shape = step % 5
                try:
                    if shape == 3:
                        value = f(key, 1)
                    elif shape == 4:
                        value = f(key, word=key)
                    else:
                        value = f(key)
                except Refuse as error:
                    value = error.args
                    refusals.append(kind == "raises" and key % 3 == 0)
                assert (value.number if kind == "finalizers" else value[0]) == identity(key)
                made += 1
            counts.append(made)

        return work

    def watch():
        start.wait()
        while not done.is_set():
            info = f.cache_info()
            assert info.currsize <= 5, info
            if kind == "int":
                gc.get_referents(f)
            time.sleep(0)

    workers = [threading.Thread(target=guarded(caller(seed))) for seed in range(threads)]
    watcher = threading.Thread(target=guarded(watch))
    for thread in [*workers, watcher]:
        thread.start()
    for thread in workers:
        thread.join()
    done.set()
    watcher.join()
    assert errors == [], errors[0]
    info = f.cache_info()
    assert info.hits + info.misses == sum(counts) == threads * calls, info
    assert all(refusals)
    assert bool(refusals) is (kind == "raises")
    assert info.hits > 0, info
    assert 0 < info.currsize <= 5, info
    keys = [make(number) for number in range(23)]
    present = sum(f.cache_contains(key, *args, **kwargs) for key in keys for args, kwargs in [((), {}), ((1,), {})])
    present += sum(f.cache_contains(key, word=key) for key in keys)
    assert present == info.currsize, (present, info)
    f.cache_clear()
    assert f.cache_info() == (0, 0, 5, 0)
    print("done")


@pytest.mark.parametrize("threads", [2, 8])
@pytest.mark.parametrize("kind", ["int", "str"])
def test_threads_get_the_right_values_and_every_call_is_counted(kind, threads):
    assert run_function(stress, kind, threads, 160_000 // threads) == "done\n"


@pytest.mark.parametrize(
    "kind", ["big_int", "bytes", "float", "tuple", "str_subclass", "mixed_str", "raises", "finalizers"]
)
def test_keys_and_values_of_every_kind_stand_threads(kind):
    assert run_function(stress, kind, 4, 16_000) == "done\n"


def test_keys_whose_eq_lets_other_threads_run_stay_right():
    assert run_function(stress, "yielding_eq", 4, 2_000) == "done\n"


def upheaval(kind, maxsize, threads, rounds):
    """Use every method of one cache from several threads. Runs in a child."""
    import gc
    import threading
    import time
    import traceback
    import weakref

    from helpers.thread_tools import take_turns_often
    from tamis import lru_cache

    take_turns_often()

    class Key:
        def __init__(self, number):
            self.number = number

        def __hash__(self):
            return self.number % 2

        def __eq__(self, other):
            time.sleep(0)
            return self.number == other.number

    class Value:
        def __init__(self, number):
            self.number = number
            born.append(weakref.ref(self))

        if kind == "finalizers":

            def __del__(self):
                f.cache_invalidate(self.number)
                f.cache_contains(self.number + 1)

    make = Key if kind == "yielding_eq" else int
    born = []
    errors = []
    start = threading.Barrier(threads + 2)
    done = threading.Event()

    @lru_cache(maxsize)
    def f(key, word=None):
        return Value(key.number if kind == "yielding_eq" else key)

    def guarded(work, *args):
        try:
            start.wait()
            work(*args)
        except BaseException:
            errors.append(traceback.format_exc())

    def worker(seed):
        for step in range(seed, seed + rounds):
            number = step * 7 % 11
            assert f(make(number)).number == number
            assert f(make(number), word="x").number == number
            assert f(make(number)).number == number
            what = step % 16
            if what == 0:
                f.cache_clear()
            elif what < 4:
                assert f.cache_invalidate(make(number)) in {True, False}
            elif what < 7:
                f.cache_put(Value(number), make(number))
            elif what < 10:
                assert f.cache_refresh(make(number)).number == number
            elif what < 12:
                assert f.cache_contains(make(number), word="x") in {True, False}
            else:
                assert f.cache_parameters() == {"maxsize": maxsize, "typed": False}
            f.note = step
            assert f.note is not None
            assert weakref.ref(f)() is f

    def watch():
        while not done.is_set():
            info = f.cache_info()
            assert maxsize is None or info.currsize <= maxsize, info
            time.sleep(0)

    def collect():
        while not done.is_set():
            gc.collect(0)
            time.sleep(0.0002)

    workers = [threading.Thread(target=guarded, args=(worker, seed * 5)) for seed in range(threads)]
    others = [threading.Thread(target=guarded, args=(work,)) for work in (watch, collect)]
    for thread in workers + others:
        thread.start()
    for thread in workers:
        thread.join()
    done.set()
    for thread in others:
        thread.join()
    assert errors == [], errors[0]
    present = sum(f.cache_contains(make(n)) + f.cache_contains(make(n), word="x") for n in range(11))
    assert f.cache_info().currsize == present
    f.cache_clear()
    gc.collect()
    assert f.cache_info().currsize == 0
    assert [value for value in born if value() is not None] == []
    print("done")


@pytest.mark.parametrize("maxsize", [1, 4, None])
@pytest.mark.parametrize("kind", ["plain", "finalizers"])
def test_all_methods_at_once_keep_the_cache_whole(kind, maxsize):
    assert run_function(upheaval, kind, maxsize, 4, 3_000) == "done\n"


@pytest.mark.parametrize("maxsize", [1, 4])
def test_all_methods_at_once_with_keys_whose_eq_lets_other_threads_run_keep_the_cache_whole(maxsize):
    assert run_function(upheaval, "yielding_eq", maxsize, 4, 400) == "done\n"


def wrappers_shared(threads, rounds):
    """Make, call and drop wrappers while other threads call and drop the same ones. Runs in a child."""
    import gc
    import sys
    import threading
    import traceback
    import weakref

    from helpers.thread_tools import take_turns_often
    from tamis import cache, lru_cache

    take_turns_often()

    shelf = [lru_cache(maxsize=2)(str) for _ in range(4)]
    errors = []
    start = threading.Barrier(threads)

    def work(seed):
        try:
            start.wait()
            for step in range(seed, seed + rounds):
                place = step * 3 % len(shelf)
                taken = shelf[place]
                assert taken(step % 5) == str(step % 5)
                reference = weakref.ref(taken)
                del taken
                if step % 4 == 0:
                    shelf[place] = (cache if step % 8 else lru_cache(maxsize=2, typed=True))(str)
                other = reference()
                if other is not None:
                    assert other(step % 7) == str(step % 7)
                    other.cache_put(f"{step % 3}", step % 3)
                    assert other.__wrapped__ is str
                del other
                if step % 500 == 0:
                    gc.collect()
        except BaseException:
            errors.append(traceback.format_exc())

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(threads)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    assert errors == [], errors[0]
    gone = [weakref.ref(wrapper) for wrapper in shelf]
    shelf.clear()
    gc.collect()
    if sys.version_info >= (3, 14) or getattr(sys, "_is_gil_enabled", lambda: True)():
        # Free-threaded 3.13 can share an object without a fight over its count only by never freeing it.
        assert [reference for reference in gone if reference() is not None] == []
    print("done")


def test_wrappers_made_called_and_dropped_by_several_threads_are_freed_without_a_crash():
    assert run_function(wrappers_shared, 4, 8_000) == "done\n"


def first_info_at_once(threads):
    import threading

    from tamis import lru_cache

    f = lru_cache(abs)
    infos = []
    start = threading.Barrier(threads)

    def work():
        start.wait()
        infos.append(f.cache_info())

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    assert len({type(info) for info in infos}) == 1
    assert infos == [(0, 0, 128, 0)] * threads
    print("done")


def test_first_cache_info_from_several_threads_at_once_makes_one_class():
    for _ in range(5):
        assert run_function(first_info_at_once, 8) == "done\n"
