"""The C API: calls, searches and the rest, references, threads and interpreters."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import tracemalloc
import weakref
from typing import Any

import pytest

import tamis
import tamis._core
from helpers.capi_tools import LANGUAGES, PACKAGE_FOLDER, BadEq, BadHash, Refuse, Thing, listed, require_compiler
from helpers.interpreter_tools import IN_INTERPRETERS
from helpers.marks import for_free_threaded_builds
from helpers.subprocess_tools import run_child
from tamis import lru_cache

# Calls, and the rest


def test_call_computes_once_and_then_hits(api):
    f = api.make(listed, {"maxsize": 10})
    for args, kwargs in [((1,), {}), ((1, "a", 2.5), {}), ((), {"b": 1}), ((1, 2), {"c": 3, "d": None}), ((), {})]:
        first = api.call(f, *args, **kwargs)
        assert first == [args, kwargs]
        assert api.call(f, *args, **kwargs) is first
        # The same entries as those of calls from Python.
        assert f(*args, **kwargs) is first
    assert f.cache_info() == (10, 5, 10, 5)


def test_call_without_arguments_takes_a_null_pointer(api):
    f = api.make(listed)
    assert api.call_without_arguments(f) is f()


def test_flag_of_vectorcall_is_no_part_of_the_number_of_arguments(api):
    f = api.make(listed)
    assert api.call_with_room(f, 5) == [(5,), {}]
    assert api.counts(f)["currsize"] == 0


def test_call_raises_what_the_function_raises_and_stores_nothing(api):
    @lru_cache
    def f(x):
        raise Refuse(x)

    for _ in range(2):
        with pytest.raises(Refuse):
            api.call(f, 1)
    assert f.cache_info().currsize == 0


def test_lookup_tells_a_stored_none_from_nothing(api):
    f = api.make(lambda x: None)
    assert api.lookup(f, 1) is None
    api.call(f, 1)
    assert api.lookup(f, 1) == (None,)
    assert api.lookup(f, 1, 2) is None
    assert api.lookup(f, x=1) is None


def test_lookup_never_calls_the_function_and_counts_as_a_call_does(api):
    calls = []
    f = api.make(calls.append)
    assert api.lookup(f, 1) is None
    assert calls == []
    api.put(f, "value", 1)
    assert api.lookup(f, 1) == ("value",)
    assert f.cache_info() == (1, 1, 128, 1)


def test_lookup_is_a_use_of_the_entry_and_contains_is_none(api):
    f = api.make(listed, {"maxsize": 3})
    for number in range(3):
        api.call(f, number)
    assert api.lookup(f, 0) is not None
    assert api.contains(f, 1)
    api.call(f, 3)
    assert [api.contains(f, number) for number in range(4)] == [True, False, True, True]


@pytest.mark.parametrize("typed", [False, True])
def test_lookup_finds_equal_keys_of_every_kind(api, typed):
    f = api.make(listed, {"typed": typed, "maxsize": None})

    class Key:
        def __hash__(self):
            return 3

        def __eq__(self, other):
            return isinstance(other, Key)

    keys = [(5,), (-1,), (1 << 70,), ("text",), (2.5,), (None,), (("a", 1),), (Key(),), (1, "a"), (1, 2, 3, Key()), ()]
    for key in keys:
        api.put(f, key, *key)
    copies = [tuple(Key() if isinstance(item, Key) else item for item in key) for key in keys]
    assert [api.lookup(f, *key) for key in copies] == [(key,) for key in keys]
    assert api.lookup(f, 5.0) is None
    assert api.lookup(f, 1.0, "a") == (None if typed else ((1, "a"),))
    assert f.cache_info().hits == len(keys) + (not typed)


def test_lookup_with_maxsize_0_finds_nothing(api):
    f = api.make(listed, {"maxsize": 0})
    api.put(f, 1, 1)
    api.call(f, 1)
    assert api.lookup(f, 1) is None
    assert api.contains(f, 1) is False
    assert api.invalidate(f, 1) is False
    assert f.cache_info() == (0, 2, 0, 0)


def test_put_replaces_and_invalidate_drops(api):
    f = api.make(listed)
    assert api.invalidate(f, 1, a=2) is False
    assert api.put(f, "first", 1, a=2) is None
    assert api.put(f, "second", 1, a=2) is None
    assert api.call(f, 1, a=2) == "second"
    assert api.invalidate(f, 1, a=2) is True
    assert api.contains(f, 1, a=2) is False
    assert api.call(f, 1, a=2) == [(1,), {"a": 2}]


def test_clear_drops_all_and_counts_from_zero(api):
    f = api.make(listed)
    for number in range(20):
        api.call(f, number)
    assert api.clear(f) is None
    assert f.cache_info() == (0, 0, 128, 0)


def test_check_knows_caches_of_functions_alone(api):
    class Class:
        @tamis.cached_method
        def method(self):
            return 1

    assert api.check(lru_cache(len)) is True
    assert api.check(tamis.cache(ttl=1)(len)) is True
    for other in (len, None, Class.method, Class().method, lru_cache(), type(lru_cache(len)), Class, 1, tamis._core):
        assert api.check(other) is False


@pytest.mark.parametrize("operation", ["call", "lookup", "contains", "put", "invalidate", "clear", "counts"])
def test_what_is_no_cache_is_a_type_error(api, operation):
    for other in (len, None, object(), listed, Thing):
        arguments = [1, 2] if operation not in ("clear", "counts") else []
        with pytest.raises(TypeError, match=r"a function with a cache of tamis is needed here, not \w+"):
            getattr(api, operation)(other, *arguments)


@pytest.mark.parametrize("options", [{}, {"ttl": 60}, {"typed": True, "maxsize": None}])
def test_hash_and_eq_that_raise_leave_through_every_function(api, options):
    f = api.make(listed, options)
    stored = BadEq()
    for operation in (api.call, api.lookup, api.contains, api.invalidate):
        with pytest.raises(Refuse, match="hash"):
            operation(f, BadHash())
        with pytest.raises(TypeError, match="unhashable"):
            operation(f, 1, b=[])
    with pytest.raises(Refuse, match="hash"):
        api.put(f, 1, BadHash())
    api.put(f, 1, stored)
    for operation in (api.call, api.lookup, api.contains, api.invalidate):
        with pytest.raises(Refuse, match="eq"):
            operation(f, BadEq())
    with pytest.raises(Refuse, match="eq"):
        api.put(f, 2, BadEq())
    assert api.lookup(f, stored) == (1,)
    assert f.cache_info().currsize == 1


def test_eq_that_clears_the_cache_ends_as_absent(api):
    f = api.make(listed, {"maxsize": None})

    class Clears:
        def __hash__(self):
            return 5

        def __eq__(self, other):
            api.clear(f)
            return True

    api.put(f, Thing(), Clears())
    assert api.lookup(f, Clears()) is None
    assert f.cache_info().currsize == 0


# Options


def now_of(clock: list[float]) -> Any:
    return lambda: clock[0]


def test_lookup_returns_stale_entries_and_leaves_the_refresh_to_a_call(api):
    clock = [0.0]
    numbers = iter(range(10))
    f = api.make(lambda x: next(numbers), {"ttl": 10, "stale": 5, "clock": now_of(clock)})
    assert api.call(f, 1) == 0
    clock[0] = 12.0
    assert api.lookup(f, 1) == (0,)
    assert api.lookup(f, 1) == (0,)
    assert api.counts(f)["stale_hits"] == 2
    assert api.call(f, 1) == 1
    assert api.lookup(f, 1) == (1,)
    clock[0] = 30.0
    assert api.lookup(f, 1) is None
    assert api.contains(f, 1) is False
    assert api.invalidate(f, 1) is False


def test_options_that_are_none_or_misspelt_are_what_they_are_in_python(api):
    f = api.make(len, {"ttl": None, "copy": None, "weigher": None, "maxweight": None, "clock": None, "backend": None})
    assert api.call(f, "ab") == 2
    assert f.cache_parameters() == {"maxsize": 128, "typed": False}
    with pytest.raises(TypeError, match="did you mean 'maxsize'"):
        api.make(len, {"max_size": 3})
    with pytest.raises(ValueError, match="clock needs ttl or tti"):
        api.make(len, {"clock": time.monotonic})


def test_options_reach_every_function(api):
    left = []
    options = {"key": abs, "copy": True, "on_evict": lambda *event: left.append(event), "maxsize": 4}
    f = api.make(lambda number: [number], options)
    first = api.call(f, -2)
    (found,) = api.lookup(f, 2)
    assert found == first == [-2]
    first.append("changed")
    found.append("changed")
    assert api.lookup(f, 2) == ([-2],)
    assert api.contains(f, 2)
    mine = [9]
    api.put(f, mine, -2)
    mine.append("changed")
    assert api.invalidate(f, 2) is True
    api.call(f, 3)
    api.clear(f)
    assert left == [(2, [-2], "replaced"), (2, [9], "invalidated"), (3, [3], "cleared")]


def test_coroutine_functions_are_called_and_looked_up(api):
    async def double(x):
        return 2 * x

    f = api.make(double)
    assert asyncio.run(api.call(f, 4)) == 8
    assert api.lookup(f, 4) == (8,)
    api.put(f, 10, 5)
    assert asyncio.run(api.call(f, 5)) == 10


@pytest.mark.parametrize("maxsize", [0, 2, None])
def test_counts_are_those_of_cache_stats(api, maxsize):
    clock = [0.0]
    f = api.make(len, {"maxsize": maxsize, "ttl": 10, "clock": now_of(clock), "weigher": int, "maxweight": 100})
    for word in ("a", "bb", "ccc", "a", "ccc", "dddd"):
        api.call(f, word)
    api.invalidate(f, "dddd")
    clock[0] = 20.0
    api.call(f, "ccc")
    counts = api.counts(f)
    assert counts.pop("maxsize") == (-1 if maxsize is None else maxsize)
    assert counts == f.cache_stats()
    assert counts["misses"] > 0
    assert (counts["weight"] > 0) == (counts["currsize"] > 0) == (maxsize != 0)


def test_counts_fill_no_more_than_the_caller_knows(api):
    f = api.make(listed)
    api.call(f, 1)
    api.call(f, 1)
    for size in (0, 8, 16, 72, 80, 96, 144):
        api.counts(f, size)
    assert api.counts(f, 144) == api.counts(f)
    unknown = 0xA5A5_A5A5_A5A5_A5A5
    assert [api.counts(f, 16)[name] for name in ("hits", "misses", "currsize", "weight")] == [1, 1, unknown, unknown]


# References


def test_every_function_leaves_the_counts_of_references_as_they_were(api):
    f = api.make(listed, {"maxsize": 100})
    things = key, value, word = Thing(), Thing(), Thing()
    api.put(f, value, key, word=word)

    def each_function(times, key, value, word):
        for _ in range(times):
            assert api.call(f, key, word=word) is value
            assert api.lookup(f, key, word=word) == (value,)
            assert api.lookup(f, word, word=key) is None
            assert api.contains(f, key, word=word)
            api.put(f, value, key, word=word)
            assert api.invalidate(f, key, word=word)
            assert not api.invalidate(f, key, word=word)
            api.put(f, value, key, word=word)
            api.counts(f)
            api.check(f)
            with pytest.raises(TypeError):
                api.lookup(key, value)

    each_function(3, *things)
    gc.collect()
    before = [sys.getrefcount(item) for item in (f, key, value, word, listed)]
    each_function(200, *things)
    gc.collect()
    assert [sys.getrefcount(item) for item in (f, key, value, word, listed)] == before
    api.clear(f)
    references = [weakref.ref(item) for item in (key, value, word)]
    del things, key, value, word
    gc.collect()
    assert [reference() for reference in references] == [None, None, None]


def test_cache_that_was_made_goes_with_its_last_reference(api):
    def function():
        return None

    f = api.make(function, {"ttl": 5, "maxsize": 3})
    references = [weakref.ref(f), weakref.ref(function)]
    api.call(f)
    del f, function
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_errors_leave_no_memory_behind(api):
    f = api.make(listed)

    def wrong(times):
        for _ in range(times):
            for operation, arguments in [
                (api.make, (3,)),
                (api.make, (len, {"unknown": 1})),
                (api.make, (len, {"ttl": -1, "maxsize": 5})),
                (api.make, (len, {"maxsize": len})),
                (api.lookup, (f, BadHash())),
                (api.put, (f, 1, BadHash())),
                (api.contains, (len, 1)),
                (api.call, (None,)),
                (api.counts, (1,)),
            ]:
                with pytest.raises((TypeError, ValueError, Refuse)):
                    operation(*arguments)

    wrong(20)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        wrong(1000)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # An object that is lost each time would be 16 bytes at the least; free-threaded builds hold pages back.
    assert grown < 12_000, grown


# Threads and interpreters


def test_several_threads_use_one_cache_at_once(api):
    f = api.make(lambda x: -x, {"maxsize": 16})
    failures = []
    start = threading.Barrier(4)

    def work(seed):
        start.wait()
        for step in range(4000):
            x = (step * seed) % 40
            found = api.lookup(f, x)
            if (found is not None and found != (-x,)) or api.call(f, x) != -x:
                failures.append((x, found))
            if step % 7 == 0:
                api.invalidate(f, x)
            elif step % 5 == 0:
                api.put(f, -x, x)
            elif step % 501 == 0:
                api.clear(f)
            if api.counts(f)["currsize"] > 16:
                failures.append("size")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 3, 7, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@for_free_threaded_builds
@pytest.mark.parametrize("language", LANGUAGES)
def test_module_that_uses_the_api_does_not_switch_the_gil_on(capi_folder, language):
    require_compiler(language)
    output = run_child(
        f"""
        import sys
        sys.path[:0] = [{PACKAGE_FOLDER!r}, {str(capi_folder)!r}]
        import use_tamis_{language} as api
        api.call(api.make(abs), -1)
        print(sys._is_gil_enabled())
        """,
        options=["-E"],
    )
    assert output == "False\n"


IN_EACH = """
WORK = '''
import sys
sys.path[:0] = PATHS
import use_tamis_LANGUAGE as api
assert api.numbers()["address"] == ADDRESS, api.numbers()

calls = []
def function(x):
    calls.append(x)
    return [x]

f = api.make(function, {"maxsize": 8, "ttl": 60})
for number in range(200):
    assert api.call(f, number % 6) == [number % 6]
    assert api.lookup(f, number % 6) == ([number % 6],)
assert calls == list(range(6))
assert api.invalidate(f, 3) and not api.contains(f, 3)
api.put(f, 3, 3)
assert api.counts(f)["currsize"] == 6
assert api.check(f) and type(f) is sys.modules["tamis._core"].lru_cache_wrapper
try:
    api.clear(len)
except TypeError:
    pass
else:
    raise AssertionError("no error")
'''
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="before Python 3.12 all interpreters of a process share one GIL")
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_interpreter_of_several_threads_has_caches_of_its_own_behind_one_table(capi_folder, language):
    require_compiler(language)
    paths = [PACKAGE_FOLDER, str(capi_folder)]
    code = f"""
sys.path[:0] = {paths!r}
import use_tamis_{language} as api
WORK = WORK.replace("PATHS", repr({paths!r})).replace("LANGUAGE", {language!r})
WORK = WORK.replace("ADDRESS", str(api.numbers()["address"]))

def work():
    try:
        for _ in range(5):
            in_new_interpreter(WORK)
        finished.append(True)
    except BaseException as error:
        print(type(error), error, flush=True)
        os._exit(1)

finished = []
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
exec(WORK, {{}})
for thread in threads:
    thread.join()
exec(WORK, {{}})
print(len(finished))
"""
    assert run_child(IN_INTERPRETERS + IN_EACH + code) == "4\n"
