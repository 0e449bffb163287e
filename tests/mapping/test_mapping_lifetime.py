"""SieveCache and what it holds are freed, and leave no memory behind."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from helpers.subprocess_tools import run_function
from tamis import SieveCache


def test_a_cycle_through_a_cache_is_collected():
    class Logging(SieveCache):
        def __init__(self) -> None:
            super().__init__(3, on_evict=self.log)

        def log(self, *what: Any) -> None: ...

    made = [SieveCache(2), Logging()]
    for cache in made:
        cache["me"] = cache
    references = [weakref.ref(cache) for cache in made]
    del made, cache
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_a_deep_chain_of_caches_is_freed_without_exhausting_the_stack():
    run_function(die_deep)


def die_deep():
    """Nest caches and drop the outermost. Runs in a child."""
    from tamis import SieveCache

    cache = None
    for _ in range(200_000):
        outer = SieveCache(1)
        outer["inner"] = cache
        cache = outer
    del cache, outer


def test_a_million_operations_leave_memory_and_references_as_they_were():
    run_function(operate_on, 40_000, seconds=120)


def operate_on(rounds):
    """Do everything in turn, and see that neither memory nor references grow. Runs in a child."""
    import contextlib
    import gc
    import pickle
    import sys

    from tamis import SieveCache

    value, text = object(), "a key that is " + str(rounds)
    caches = [SieveCache(7), SieveCache(7, ttl=60, weigher=lambda _: 1, maxweight=5, on_evict=lambda *_: None)]

    def round_of(number):
        for cache in caches:
            for key in (number, text, (number % 9, "x"), float(number % 5), 1 << 70):
                cache[key] = value
                cache.get(key)
                assert key in cache
            cache.setdefault(text, value)
            cache.get_or_compute(number % 11, lambda: value)
            cache.pop(text, None)
            with contextlib.suppress(KeyError):
                del cache[text]
            cache.popitem()
            if number % 50 == 0:
                list(cache.items())
                cache.copy().clear()
                pickle.loads(pickle.dumps({1: cache.maxsize}))
                len(cache)

    def settled():
        for cache in caches:
            cache.clear()
        gc.collect()
        return sys.getrefcount(value), sys.getrefcount(text), sys.getrefcount(None) >> 8, len(gc.get_objects())

    for number in range(500):
        round_of(number)
    before = settled()
    blocks = sys.getallocatedblocks()
    for number in range(rounds):
        round_of(number)
    after = settled()
    assert after[:2] == before[:2], (before, after)
    assert after[3] - before[3] < 20, (before, after)
    assert sys.getallocatedblocks() - blocks < 500
