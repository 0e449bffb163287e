"""What must not crash the interpreter: no memory, its own end, results against the rules of C functions, forks."""

from __future__ import annotations

import importlib.util

import pytest

from helpers.marks import FREE_THREADED, for_systems_with_fork
from helpers.subprocess_tools import run_child, run_function

needs_testcapi = pytest.mark.skipif(
    importlib.util.find_spec("_testcapi") is None or FREE_THREADED,
    reason="needs _testcapi, whose failing allocations crash free-threaded CPython itself in a plain function's call",
)


STEPS = [
    "decorate",
    "decorate_bare",
    "decorate_unbounded",
    "hit",
    "miss",
    "miss_with_positions",
    "miss_with_keywords",
    "miss_typed",
    "evict",
    "contains",
    "invalidate",
    "put",
    "refresh",
    "info",
    "clear",
    "bind",
    "attributes",
]


def allocation_failures(step_name):
    import gc
    from _testcapi import remove_mem_hooks, set_nomemory

    from tamis import cache, lru_cache

    def function(*args, **kwargs):
        return [args, sorted(kwargs)]

    f = lru_cache(maxsize=3)(function)
    typed = lru_cache(maxsize=3, typed=True)(function)
    state = {"next": 1000}

    def fresh():
        state["next"] += 1
        return state["next"]

    def check():
        for shape in (((), {}), ((1,), {}), ((1, 2), {}), ((1,), {"a": 2})):
            expected = function(*shape[0], **shape[1])
            for cached in (f, typed):
                assert cached(*shape[0], **shape[1]) == expected
                assert cached.cache_contains(*shape[0], **shape[1])
                hits = cached.cache_info().hits
                assert cached(*shape[0], **shape[1]) == expected
                assert cached.cache_info().hits == hits + 1
                assert cached.cache_info().currsize <= 3

    steps = {
        "decorate": lambda: lru_cache(maxsize=7)(function),
        "decorate_bare": lambda: lru_cache(function),
        "decorate_unbounded": lambda: cache(function),
        "hit": lambda: (f(1), f(1, 2), f(1, a=2)),
        "miss": lambda: f(fresh()),
        "miss_with_positions": lambda: f(fresh(), fresh()),
        "miss_with_keywords": lambda: f(fresh(), a=1, b=2),
        "miss_typed": lambda: (typed(fresh()), typed(fresh(), (1,), k=None)),
        "evict": lambda: [f(fresh()) for _ in range(5)],
        "contains": lambda: (f.cache_contains(1), f.cache_contains(fresh(), a=1)),
        "invalidate": lambda: (f.cache_invalidate(1, 2), f.cache_invalidate(fresh())),
        "put": lambda: (f.cache_put("put", fresh()), f.cache_put("put", fresh(), a=2)),
        "refresh": lambda: (f.cache_refresh(1), f.cache_refresh(fresh(), a=1)),
        "info": lambda: (f.cache_info(), f.cache_parameters()),
        "clear": lambda: (f.cache_clear(), f(1), f.cache_clear()),
        "bind": lambda: f.__get__(object(), object),
        "attributes": lambda: (f.__dict__, f.__wrapped__, f.__reduce__()),
    }
    step = steps[step_name]
    step()
    failed = 0
    gc.disable()
    for width in (1, 5):
        for start in range(1, 60):
            check()
            try:
                set_nomemory(start, start + width)
                step()
            except MemoryError:
                failed += 1
            finally:
                remove_mem_hooks()
    check()
    # What the other steps need may come from the interpreter's free lists, which grow from version to version.
    if step_name.startswith(("decorate", "miss_", "evict", "refresh")):
        assert failed > 0
    del step, steps
    gc.collect()


@needs_testcapi
@pytest.mark.parametrize("step", STEPS)
def test_only_memory_error_comes_of_failing_allocations(step):
    run_function(allocation_failures, step)


def results_against_the_rules():
    from _testcapi import return_null_without_error, return_result_with_error

    from tamis import lru_cache

    for broken in (return_null_without_error, return_result_with_error):
        for maxsize in (0, 1, None):
            cached = lru_cache(maxsize)(broken)
            for operation in (cached, cached.cache_refresh):
                try:
                    operation()
                except SystemError:
                    continue
                raise AssertionError(f"{broken} went through {operation}")
            assert cached.cache_info().currsize == 0


@needs_testcapi
def test_c_function_that_breaks_the_rules_of_results_is_a_system_error():
    run_function(results_against_the_rules)


def daemon_threads(kind):
    import threading
    import time

    from tamis import lru_cache

    class Key:
        def __init__(self, number):
            self.number = number

        def __hash__(self):
            return 1

        def __eq__(self, other):
            time.sleep(0.0005)
            return self.number == other.number

    @lru_cache(maxsize=2)
    def f(key):
        if kind == "miss":
            time.sleep(0.0005)
        return key

    running = threading.Semaphore(0)

    def work(seed):
        number = seed
        while True:
            number += 1
            if kind == "hit":
                f(1)
                f("a")
                f((1, 2.0))
            elif kind == "miss":
                f(number)
            elif kind == "evict":
                f(number % 97)
            else:
                f(Key(number % 5))
            running.release()

    for seed in range(4):
        threading.Thread(target=work, args=(seed,), daemon=True).start()
    for _ in range(40):
        running.acquire()
    print("exit", flush=True)


@pytest.mark.parametrize("kind", ["miss", "hit", "evict", "eq"])
def test_exit_with_daemon_threads_inside_a_cached_function_is_clean(kind):
    for _ in range(3):
        assert run_function(daemon_threads, kind, seconds=20) == "exit\n"


def test_exit_with_values_whose_finalizers_call_back_is_clean():
    output = run_child("""
        import os
        from tamis import cache, lru_cache

        class Value:
            def __init__(self, number):
                self.number = number

            def __del__(self, write=os.write):
                write(1, b"d")
                # At exit, names of this module may be gone: that is an error to report, not a crash.
                try:
                    f(self.number + 1)
                    g(Value(self.number + 1) if self.number < 100 else 1)
                    f.cache_info()
                    f.cache_clear()
                except Exception:
                    pass

        @lru_cache(maxsize=4)
        def f(number):
            return Value(number) if number < 100 else number

        @cache
        def g(number):
            return number

        for number in range(10):
            f(number)
            g(f(number))
        print("end", flush=True)
    """)
    assert output.count("d") >= 10


def test_wrapper_called_while_modules_are_torn_down_does_not_crash():
    output = run_child("""
        import atexit, gc, os, sys
        import tamis
        from tamis import lru_cache

        @lru_cache(maxsize=4)
        def f(x, *, write=os.write):
            write(1, b"called %d\\n" % x)
            return x

        class Late:
            # Everything it needs is held by its defaults.
            def __del__(self, f=f, write=os.write):
                write(1, b"late\\n")
                for operation in (lambda: f(2), lambda: f(1), f.cache_info, f.cache_clear, f.cache_parameters,
                                  lambda: f.cache_put(3, 4), lambda: f(2)):
                    try:
                        operation()
                    except Exception:
                        pass

        late = Late()
        cycle = Late()
        cycle.cycle = cycle
        atexit.register(f, 1)
        atexit.register(f.cache_info)
        for name in [name for name in sys.modules if name.startswith("tamis")]:
            del sys.modules[name]
        del tamis, lru_cache
        gc.collect()
    """)
    assert output.startswith("called 1\n")
    assert "late\n" in output
    assert "called 2\n" in output


def forking(workers):
    import os
    import signal
    import threading
    import warnings

    from tamis import lru_cache

    warnings.simplefilter("ignore")

    class Key:
        # No dict here and no cells below: free-threaded CPython locks them, and a child may find one locked for a
        # thread that it hasn't got.
        __slots__ = ("number",)

        def __init__(self, number):
            self.number = number

        def __hash__(self):
            return self.number % 3

        def __eq__(self, other):
            return type(other) is type(self) and self.number == other.number

    @lru_cache(maxsize=4)
    def f(key):
        return key if isinstance(key, int) else key.number

    stop = threading.Event()

    def work(f, key_type, stop):
        number = 0
        while not stop.is_set():
            number += 1
            f(number % 7)
            f(key_type(number % 7))

    threads = [threading.Thread(target=work, args=(f, Key, stop)) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                status = 1
                try:
                    for number in range(50):
                        assert f(number) == f(Key(number)) == number
                    assert f.cache_info().currsize == 4
                    f.cache_clear()
                    assert f.cache_info().currsize == 0
                    status = 0
                finally:
                    os._exit(status)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert status == 0, status
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@for_systems_with_fork
def test_cache_works_in_a_forked_child_while_threads_use_it_in_the_parent():
    run_function(forking, 3)
