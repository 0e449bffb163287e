"""Functions that call themselves through a cache, in every way: for children, since they may crash the process."""

from __future__ import annotations

import functools
import sys
import tempfile

import tamis
from helpers.recursion_tools import print_depths
from tamis import lru_cache


class Levels:
    """How many there were since `reached` began."""

    entered = 0


levels = Levels()


def countdown(decorate):
    """The usual case: the function calls itself."""

    @decorate
    def f(n):
        levels.entered += 1
        return 0 if n == 0 else f(n - 1) + 1

    return f, f.cache_clear


def with_ignored(decorate):
    @decorate
    def f(n, ignored=None):
        levels.entered += 1
        return 0 if n == 0 else f(n - 1, n) + 1

    return f, f.cache_clear


def twice(decorate):
    return countdown(lambda f: decorate(decorate(decorate(f))))


def by_refresh(decorate):
    @decorate
    def f(n):
        levels.entered += 1
        return 0 if n == 0 else f.cache_refresh(n - 1) + 1

    return f, f.cache_clear


def in_callback(make):
    """A callable that is given to an option calls the function."""

    def callback(n, *_):
        if not isinstance(n, int) or n <= 0:
            return 1
        levels.entered += 1
        f(n - 1)
        return n

    f = make(callback)(lambda n: n)
    return f, f.cache_clear


def in_clock():
    def clock():
        nonlocal left
        if left == 0:
            return 1.0
        levels.entered += 1
        left -= 1
        try:
            f(0)
        finally:
            left += 1
        return 1.0

    left = 0
    f = lru_cache(ttl=5, clock=clock)(lambda n: n)

    def call(n):
        nonlocal left
        left = n
        f(0)
        return n

    return call, f.cache_clear


def in_eq(**options):
    """Each comparison looks up another key of the same hash."""

    class Key:
        def __init__(self, n):
            self.n = n

        def __hash__(self):
            return 1

        def __eq__(self, other):
            levels.entered += 1
            if other.n > 0:
                f(Key(other.n - 1))
            return True

    f = lru_cache(**options)(lambda key: 0)

    def call(n):
        f.cache_clear()
        f(Key(0))
        f(Key(n))
        return n

    return call, f.cache_clear


def in_hash(**options):
    class Key:
        def __init__(self, n):
            self.n = n

        def __hash__(self):
            levels.entered += 1
            return f(Key(self.n - 1)) if self.n > 0 else 1

    f = lru_cache(**options)(lambda key: 1)

    def call(n):
        f(Key(n))
        return n

    return call, f.cache_clear


def in_finalizer():
    class Value:
        def __init__(self, n):
            self.n = n

        def __del__(self):
            if self.n > 0:
                levels.entered += 1
                f(self.n - 1)

    f = lru_cache(maxsize=1)(Value)

    def call(n):
        f(n)
        f(-1)
        return n

    return call, f.cache_clear


def in_serializer(**shared):
    class Serializer:
        def dumps(self, value):
            levels.entered += 1
            if isinstance(value, Value) and value.n > 0:
                f(value.n - 1)
            return b""

        def loads(self, content):
            return None

    f = lru_cache(serializer=Serializer(), **shared)(Value)

    def call(n):
        f(n)
        return n

    return call, f.cache_clear


class Value:
    def __init__(self, n):
        self.n = n


def get_or_compute(**options):
    cache = tamis.SieveCache(None, **options)

    def f(n):
        levels.entered += 1
        return 0 if n == 0 else cache.get_or_compute(n - 1, lambda: f(n - 1)) + 1

    return f, cache.clear


def stale():
    """Each level finds an entry that it is to make anew."""
    now, deep = 0.0, False

    @lru_cache(None, ttl=1, stale=100, clock=lambda: now)
    def f(n):
        if not deep:
            return n
        levels.entered += 1
        return 0 if n == 0 else f(n - 1) + 1

    def call(n):
        nonlocal now, deep
        now, deep = 0.0, False
        for number in range(n + 1):
            f(number)
        now, deep = 2.0, True
        return f(n)

    return call, f.cache_clear


def method():
    class Owner:
        @lru_cache(None)
        def f(self, n):
            levels.entered += 1
            return 0 if n == 0 else self.f(n - 1) + 1

    return Owner().f, Owner.f.cache_clear


def c_callable():
    """A partial object of the function itself."""

    def function(n):
        levels.entered += 1
        return 0 if n == 0 else f(n - 1) + 1

    f = lru_cache(None)(functools.partial(function))
    return f, f.cache_clear


def makers(folder):
    """By name: what makes a function that recurses, with what clears its cache. Regions are in this folder."""
    shared = {"backend": "shared", "path": folder, "max_bytes": 8 << 20, "name": "recursion"}
    return {
        "functools": lambda: countdown(functools.lru_cache(None)),
        "bound": lambda: countdown(lru_cache(10**6)),
        "no bound": lambda: countdown(lru_cache(None)),
        "nothing stored": lambda: countdown(lru_cache(0)),
        "typed": lambda: countdown(lru_cache(None, typed=True)),
        "ttl": lambda: countdown(lru_cache(None, ttl=100)),
        "tti": lambda: countdown(lru_cache(None, tti=100)),
        "key": lambda: countdown(lru_cache(None, key=lambda n: (n, n))),
        "ignore": lambda: with_ignored(lru_cache(None, ignore="ignored")),
        "single_flight": lambda: countdown(lru_cache(None, single_flight=True)),
        "weigher": lambda: countdown(lru_cache(None, weigher=lambda value: 1, maxweight=10)),
        "on_evict": lambda: countdown(lru_cache(10, on_evict=lambda *_: None)),
        "copy": lambda: countdown(lru_cache(None, copy=True)),
        "many options": lambda: countdown(
            lru_cache(100, ttl=9, stale=9, key=lambda n: n, copy=True, single_flight=True)
        ),
        "shared": lambda: countdown(lru_cache(**shared)),
        "shared, ttl": lambda: countdown(lru_cache(ttl=100, **shared)),
        "shared, key": lambda: countdown(lru_cache(key=lambda n: (n, n), **shared)),
        "shared, single_flight": lambda: countdown(lru_cache(single_flight=True, **shared)),
        "three caches": lambda: twice(lru_cache(None)),
        "three caches, ttl": lambda: twice(lru_cache(None, ttl=100)),
        "refresh": lambda: by_refresh(lru_cache(None)),
        "refresh, ttl": lambda: by_refresh(lru_cache(None, ttl=100)),
        "refresh, shared": lambda: by_refresh(lru_cache(**shared)),
        "stale": stale,
        "method": method,
        "partial": c_callable,
        "get_or_compute": get_or_compute,
        "get_or_compute, ttl": lambda: get_or_compute(ttl=100),
        "in key": lambda: in_callback(lambda callback: lru_cache(None, key=callback)),
        "in ttl": lambda: in_callback(lambda callback: lru_cache(None, ttl=callback)),
        "in weigher": lambda: in_callback(lambda callback: lru_cache(None, weigher=callback, maxweight=10**9)),
        "in copy": lambda: in_callback(lambda callback: lru_cache(None, ttl=9, copy=callback)),
        "in on_evict": lambda: in_callback(lambda callback: lru_cache(1, on_evict=callback)),
        "in clock": in_clock,
        "in eq": in_eq,
        "in eq, ttl": lambda: in_eq(ttl=100),
        "in eq, single_flight": lambda: in_eq(single_flight=True),
        "in hash": in_hash,
        "in hash, ttl": lambda: in_hash(ttl=100),
        "in finalizer": in_finalizer,
        "in serializer": lambda: in_serializer(**shared),
    }


def reached(call, clear, n):
    """How many levels there were, and what came of it."""
    clear()
    levels.entered = 0
    try:
        outcome = call(n)
    except RecursionError:
        outcome = "RecursionError"
    return levels.entered, outcome


def recurse(kind, limits, stack):
    """Recurse under each limit, and print how many levels there were."""

    def reach(limit, n):
        call, clear = makers(folder)[kind]()
        reached(call, clear, 50)  # the interpreter calls otherwise where it has seen code before
        first, second = (reached(call, clear, n) for _ in range(2))
        # What counts the levels is balanced, and the cache works on. Entries of one run die in the next.
        assert first == second or kind in ("in on_evict", "in finalizer"), (kind, limit, first, second)
        assert first[1] in (n, "RecursionError"), (kind, limit, first)
        assert call(5) == 5, (kind, limit)
        return first[0]

    sys.unraisablehook = lambda _: None  # what callbacks raise
    with tempfile.TemporaryDirectory() as folder:
        print_depths(reach, limits, stack)
