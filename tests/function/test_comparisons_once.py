"""A call compares its key with each entry of the same hash at most once, whatever the comparisons change."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

import tamis
from tamis import SieveCache


class Calls:
    """Which calls are running, and which comparisons each of them has made."""

    def __init__(self, depth: int, seed: int) -> None:
        self.running: list[int] = []
        self.made: Counter[tuple[int, int, int]] = Counter()
        self.number = 0
        self.depth = depth
        self.random = random.Random(seed)
        self.keys = [Key(self, number) for number in range(8)]

    def call(self, key):
        """Make one call with this key."""
        self.number += 1
        self.running.append(self.number)
        try:
            self.ask(key)
        finally:
            self.running.pop()

    def go(self, ask):
        """Call with all keys, some times."""
        self.ask = ask
        for _ in range(3):
            for key in self.keys:
                self.call(key)
        assert self.made, "nothing was compared"
        assert max(self.made.values()) == 1


class Key:
    """All have one hash, and comparing two of them makes more calls."""

    def __init__(self, calls: Calls, number: int) -> None:
        self.calls, self.number = calls, number

    def __hash__(self):
        return 5

    def __eq__(self, other):
        calls = self.calls
        calls.made[calls.running[-1], id(self), id(other)] += 1
        if len(calls.running) < calls.depth:
            calls.call(calls.random.choice(calls.keys))
        return self.number == other.number


@pytest.fixture(params=[(depth, seed) for depth in (1, 2, 3) for seed in (1, 2, 3)], ids=str)
def calls(request):
    return Calls(*request.param)


@pytest.mark.parametrize("maxsize", [2, 4, 8, None])
@pytest.mark.parametrize("options", [{}, {"ttl": 60}, {"ttl": 60, "single_flight": True}], ids=str)
def test_function_compares_once(calls, maxsize, options):
    calls.go(tamis.lru_cache(maxsize=maxsize, **options)(lambda key: key.number))


def test_function_that_changes_the_cache_compares_once(calls):
    def compute(key):
        if len(calls.running) < calls.depth:
            calls.call(calls.random.choice(calls.keys))
        return key.number

    calls.go(tamis.lru_cache(maxsize=4)(compute))


@pytest.mark.parametrize("options", [{}, {"ttl": 60}], ids=str)
def test_coroutine_function_compares_once(calls, options):
    @tamis.lru_cache(maxsize=4, single_flight=False, **options)
    async def f(key):
        return key.number

    def ask(key):
        coroutine = f(key)
        try:
            coroutine.send(None)
        except StopIteration:
            return
        raise AssertionError("it waits for nothing")

    calls.go(ask)


def test_awaited_call_in_a_loop_compares_once_with_the_entries(calls):
    @tamis.lru_cache(maxsize=4, ttl=60, single_flight=False)
    async def f(key):
        await asyncio.sleep(0)
        return key.number

    calls.depth = 1
    calls.go(lambda key: asyncio.run(f(key)))


@pytest.mark.parametrize("options", [{}, {"ttl": 60}], ids=str)
@pytest.mark.parametrize("way", ["setdefault", "get_or_compute"])
def test_mapping_compares_once(calls, options, way):
    cache = SieveCache(4, **options)
    if way == "setdefault":
        calls.go(lambda key: cache.setdefault(key, key.number))
    else:
        calls.go(lambda key: cache.get_or_compute(key, lambda: key.number))


def test_each_instance_compares_once(calls):
    class C:
        @tamis.cached_method(maxsize=4)
        def f(self, key):
            return key.number

    calls.go(C().f)
