"""How shared caches are freed, copied and pickled, and what they leave behind."""

from __future__ import annotations

import gc
import pickle
import sys
import weakref

import pytest

from helpers.marks import for_shared_caches, has_two_functions_of_one_name
from helpers.subprocess_tools import run_child, run_function

pytestmark = [for_shared_caches, has_two_functions_of_one_name]


def test_wrapper_and_what_it_holds_are_collected(shared):
    class Serializer:
        dumps = staticmethod(pickle.dumps)
        loads = staticmethod(pickle.loads)

    serializer = Serializer()
    f = shared(serializer=serializer)(lambda x: x)
    f(1)
    serializer.wrapper = f
    gone = weakref.ref(serializer)
    del serializer, f
    gc.collect()
    if hasattr(sys, "_is_gil_enabled") and not sys._is_gil_enabled():
        gc.collect()
    assert gone() is None


def calls_of_a_shared_cache(path, rounds):
    """Do everything in turn, and see that memory does not grow. Runs in a child."""
    import gc
    import sys
    from contextlib import suppress

    from tamis import _core, cache

    class Refuse:
        def __reduce__(self):
            raise ValueError

    def compute(x, y=None):
        if x == 9:
            raise ValueError
        return [x] if x % 2 else (x, "text")

    options = {"backend": "shared", "path": path, "max_bytes": 1 << 18}
    caches = [cache(**options, name="a"), cache(**options, name="b", single_flight=True, ttl=100, stale=1, tti=100)]
    caches = [decorate(compute) for decorate in caches]

    def work(number):
        for f in caches:
            for x in range(20):
                for call in (f, f, f.cache_contains, f.cache_invalidate, f):
                    try:
                        call(x, y=(number, 1.5))
                        call((x, number).__hash__())
                    except ValueError:
                        pass
            f.cache_put(b"x" * (1 << 19), 5)
            with suppress(TypeError):
                f(Refuse())
        _core._loads(b"\x12\x05\x40")
        _core._loads(_core._dumps({"a": [1, {2, 3}], "b": Refuse.__name__}))

    blocks = []
    for number in range(rounds):
        work(number)
        if number % (rounds // 4) == 0:
            for f in caches:
                f.cache_clear()
            gc.collect()
            blocks.append(sys.getallocatedblocks())
    assert max(blocks[1:]) - blocks[1] < 100, blocks
    print("done")


def test_memory_stands_where_it_stood(tmp_path):
    assert run_function(calls_of_a_shared_cache, str(tmp_path), 400) == "done\n"


def test_wrapper_pickles_by_reference_and_copies_as_itself(shared):
    import copy

    f = shared()(lambda x: x)
    assert copy.copy(f) is f
    assert copy.deepcopy(f) is f


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="__cxa_atexit(3) as the C library of Linux has it")
def test_call_at_the_exit_of_the_process_is_answered(tmp_path):
    code = f"""
        import ctypes
        from tamis import lru_cache

        f = lru_cache(backend="shared", path={str(tmp_path)!r}, name="exit")(lambda *args: list(args))
        f(1, 2)
        c = ctypes.CDLL(None)
        function = ctypes.CFUNCTYPE(None)
        at_exit = function(lambda: print(f(1, 2), f.cache_info().hits, flush=True))
        c.__cxa_atexit.argtypes = [function, ctypes.c_void_p, ctypes.c_void_p]
        c.__cxa_atexit(at_exit, None, None)
        # Not sys.exit(): C's handlers run while the interpreter stands, and after the thread's own storage is gone.
        c.exit(0)
    """
    assert run_child(code) == "[1, 2] 1\n"
