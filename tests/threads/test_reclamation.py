"""When evicted objects are dropped: at once where somebody asked for it, however many threads have called."""

from __future__ import annotations

import pytest

from helpers.subprocess_tools import run_function

WAYS = {
    "cache_invalidate": "f = cache(make)\nfill = f\ndrop = f.cache_invalidate",
    "cache_invalidate of a coroutine function": """
@cache
async def f(key):
    return make(key)

def fill(key):
    try:
        f(key).send(None)
    except StopIteration as stop:
        return stop.value

drop = f.cache_invalidate""",
    "cache_invalidate with options": """
f = cache(ttl=1000, single_flight=True)(make)
fill = f
drop = f.cache_invalidate""",
    "a method's cache_invalidate": """
class Class:
    @cached_method(maxsize=None)
    def method(self, key):
        return make(key)

instance = Class()
fill = instance.method
drop = Class.method.cache_for(instance).cache_invalidate""",
    "the end of an instance": """
class Class:
    @cached_method(maxsize=None)
    def method(self):
        return make(0)

instances = {}

def fill(key):
    return instances.setdefault(key, Class()).method()

drop = instances.pop""",
    "pop": "m = SieveCache(10**6)\nfill = lambda key: m.setdefault(key, make(key))\ndrop = m.pop",
    "del": "m = SieveCache(10**6)\nfill = lambda key: m.setdefault(key, make(key))\ndrop = m.__delitem__",
    "popitem": "m = SieveCache(10**6)\nfill = lambda key: m.setdefault(key, make(key))\ndrop = lambda key: m.popitem()",
    "pop of a mapping with ttl": """
m = SieveCache(10**6, ttl=1000)
fill = lambda key: m.setdefault(key, make(key))
drop = m.pop""",
    "popitem of a mapping with ttl": """
m = SieveCache(10**6, ttl=1000)
fill = lambda key: m.setdefault(key, make(key))
drop = lambda key: m.popitem()""",
}


def dropped(way, hitting):
    """Each entry that somebody takes out is dropped before that returns, while so many threads hit others."""
    import gc
    import threading
    import weakref

    from tamis import SieveCache, cache, cached_method

    class Value:
        pass

    def make(key):
        return Value()

    names = {"make": make, "cache": cache, "cached_method": cached_method, "SieveCache": SieveCache}
    exec(way, names)
    fill, drop = names["fill"], names["drop"]
    fill("kept")
    done, start = threading.Event(), threading.Barrier(hitting + 1)

    def hit():
        fill("kept")
        start.wait()
        while not done.is_set():
            for _ in range(100):
                fill("kept")

    threads = [threading.Thread(target=hit) for _ in range(hitting)]
    for thread in threads:
        thread.start()
    start.wait()
    try:
        gc.disable()
        keys = range(200)
        made = {key: weakref.ref(fill(key)) for key in keys}
        alive = []
        for number, key in enumerate(keys):
            drop(key)
            alive.append(sum(reference() is not None for reference in made.values()) - (len(keys) - 1 - number))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    # popitem may take what the others hit, which is none of these.
    assert max(alive) <= 1, max(alive)
    assert sum(alive) <= 2, sum(alive)
    print("done")


@pytest.mark.parametrize("hitting", [1, 3])
@pytest.mark.parametrize("way", WAYS)
def test_what_somebody_takes_out_is_dropped_at_once(way, hitting):
    assert run_function(dropped, WAYS[way], hitting) == "done\n"


def length():
    """`len()` of a mapping drops what has expired, at once."""
    import threading
    import time
    import weakref

    from tamis import SieveCache

    class Value:
        pass

    mapping = SieveCache(1000, ttl=0.05)
    called, ending = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: (mapping.get(1), called.set(), ending.wait()))
    thread.start()
    called.wait()
    mapping[1] = value = Value()
    reference = weakref.ref(value)
    del value
    while len(mapping) > 0:
        time.sleep(0.01)
    assert reference() is None
    ending.set()
    thread.join()
    print("done")


def test_what_len_finds_expired_is_dropped_at_once():
    assert run_function(length) == "done\n"


def cleared(rounds):
    """`cache_clear()` drops everything, while others hit."""
    import threading
    import weakref

    from tamis import lru_cache

    class Value:
        pass

    @lru_cache(maxsize=50)
    def f(key):
        return Value()

    done, start = threading.Event(), threading.Barrier(3)

    def hit():
        f(1)
        start.wait()
        while not done.is_set():
            for _ in range(100):
                f(1)

    threads = [threading.Thread(target=hit) for _ in range(2)]
    for thread in threads:
        thread.start()
    start.wait()
    alive = 0
    for _ in range(rounds):
        made = [weakref.ref(f(key)) for key in range(2, 40)]
        f.cache_clear()
        alive += sum(reference() is not None for reference in made)
    done.set()
    for thread in threads:
        thread.join()
    assert alive <= 2, alive
    print("done")


def test_what_is_cleared_is_dropped_at_once_while_others_hit():
    assert run_function(cleared, 100) == "done\n"
