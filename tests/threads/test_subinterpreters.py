"""Sub-interpreters, each with a GIL of its own: every one has its own module, types, wrappers and entries."""

from __future__ import annotations

from helpers.interpreter_tools import IN_INTERPRETERS
from helpers.marks import for_interpreters_with_their_own_gil
from helpers.subprocess_tools import run_child

pytestmark = for_interpreters_with_their_own_gil

# What each interpreter does.
INTERPRETERS = (
    IN_INTERPRETERS
    + """
WORK = '''
import gc
import tamis
from tamis import cache, lru_cache

calls = []

@lru_cache(maxsize=8)
def f(x, y=None, *, z=None):
    calls.append(x)
    return [x]

class Key:
    def __init__(self, number):
        self.number = number
    def __hash__(self):
        return self.number % 2
    def __eq__(self, other):
        return isinstance(other, Key) and self.number == other.number

for number in range(50):
    for key in (number % 4, str(number % 8), 1.5, None, (number, "x"), Key(number % 3)):
        assert f(key)[0] == key
        assert f(key, 1)[0] == key
        assert f(key, z=key)[0] == key
info = f.cache_info()
assert info.currsize == 8, info
assert info.misses == len(calls), info
assert info.hits + info.misses == 900, info
assert f.cache_parameters() == {"maxsize": 8, "typed": False}
f.cache_put([0], "put")
assert f("put") == [0]
assert f.cache_invalidate("put")
wrappers = [thing for thing in gc.get_objects() if type(thing).__name__ == "lru_cache_wrapper"]
assert [wrapper for wrapper in wrappers if wrapper is not f] == [], wrappers
assert type(f) is tamis._core.lru_cache_wrapper
# An interpreter may end with caches in use, in a cycle, and with values whose finalizers call back.
cached = cache(f.__wrapped__)
f.cycle = cached
cached(f)
class Last:
    def __del__(self):
        try:
            f(1)
        except Exception:
            pass
f.cache_put(Last(), "last")
# The same as a mapping.
mapping = tamis.SieveCache(8, on_evict=lambda *what: None)
for number in range(50):
    mapping[number] = mapping.get_or_compute(str(number), lambda: [number])
assert len(mapping) == 8
assert tamis.SieveCache.__mro__[1].__module__ == "tamis._core"
mapping["me"] = mapping
mapping["last"] = Last()
'''
"""
)


def test_import_and_use_in_a_hundred_interpreters_one_after_the_other():
    output = run_child(INTERPRETERS + "for _ in range(100):\n    in_new_interpreter(WORK)\nprint('done')\n")
    assert output == "done\n"


def test_import_and_use_in_interpreters_of_several_threads_at_once():
    assert run_child(INTERPRETERS + "in_interpreters_of_threads(WORK, 25)\n") == "4\n"


def test_wrappers_of_one_interpreter_are_not_seen_in_another():
    code = """
import tamis

@tamis.lru_cache(maxsize=4)
def f(x):
    return x

f(1)
f(2)
reading, writing = os.pipe()
TELL = '''
import gc, os
import tamis
assert [thing for thing in gc.get_objects() if type(thing).__name__ == "lru_cache_wrapper"] == []

@tamis.lru_cache(maxsize=4)
def f(x):
    return -x

assert f.cache_info() == (0, 0, 4, 0)
assert f(1) == -1
os.write(%d, b"%%d " %% id(type(f)))
''' % writing
living = [create() for _ in range(5)]
for interpreter in living:
    run(interpreter, TELL)
os.close(writing)
kinds = {int(word) for word in os.read(reading, 4096).split()} | {id(type(f))}
assert len(kinds) == 6, kinds
# The same interpreter has the same module, and the entries of before.
for interpreter in living:
    run(interpreter, "assert f(1) == -1 and f.cache_info() == (1, 1, 4, 1), f.cache_info()")
for interpreter in living:
    destroy(interpreter)
assert f(1) == 1
assert f.cache_info() == (1, 2, 4, 2)
print("done")
"""
    assert run_child(INTERPRETERS + code) == "done\n"


def test_main_interpreter_may_leave_first_or_import_last():
    code = """
def in_thread():
    in_new_interpreter(WORK)

thread = threading.Thread(target=in_thread)
thread.start()
thread.join()
# Imported for the first time here, after another interpreter has come and gone.
namespace = {}
exec(WORK, namespace)
in_new_interpreter(WORK)
assert namespace["f"].cache_info().currsize > 0
print("done")
"""
    assert run_child(INTERPRETERS + code) == "done\n"
