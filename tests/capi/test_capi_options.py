"""The C API: caches with options, and counts."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from helpers.capi_tools import listed


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
