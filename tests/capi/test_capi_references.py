"""The C API: references and memory, threads and interpreters."""

from __future__ import annotations

import gc
import sys
import threading
import tracemalloc
import weakref

import pytest

from helpers.capi_tools import LANGUAGES, BadHash, Refuse, Thing, listed, require_compiler
from helpers.interpreter_tools import IN_INTERPRETERS
from helpers.marks import for_free_threaded_builds, for_interpreters_with_their_own_gil
from helpers.subprocess_tools import PACKAGE_FOLDER, run_child

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


def test_cache_that_was_made_is_freed_with_its_last_reference(api):
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


@for_interpreters_with_their_own_gil
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_interpreter_of_several_threads_has_caches_of_its_own_behind_one_table(capi_folder, language):
    require_compiler(language)
    paths = [PACKAGE_FOLDER, str(capi_folder)]
    code = f"""
sys.path[:0] = {paths!r}
import use_tamis_{language} as api
WORK = WORK.replace("PATHS", repr({paths!r})).replace("LANGUAGE", {language!r})
WORK = WORK.replace("ADDRESS", str(api.numbers()["address"]))
in_interpreters_of_threads(WORK, 5, meanwhile=lambda: exec(WORK, {{}}))
exec(WORK, {{}})
"""
    assert run_child(IN_INTERPRETERS + IN_EACH + code) == "4\n"
