"""SieveCache with options: time, weights, on_evict and counts."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from tamis import SieveCache


def test_expired_entries_are_absent_everywhere():
    told = []
    cache = SieveCache(10, ttl=0.05, on_evict=lambda *what: told.append(what))
    cache.update(a=1, b=2)
    time.sleep(0.06)
    cache["c"] = 3
    assert "a" not in cache
    assert cache.get("a") is None
    with pytest.raises(KeyError):
        cache["a"]
    assert cache.pop("a", None) is None
    assert told == [("a", 1, "expired")]
    assert [*iter(cache)] == ["c"]
    assert cache == {"c": 3}
    assert len(cache) == 1
    assert told == [("a", 1, "expired"), ("b", 2, "expired")]
    assert cache.stats()["expirations"] == 2
    assert cache.setdefault("b", 5) == 5
    assert cache.popitem() == ("c", 3)
    time.sleep(0.06)
    with pytest.raises(KeyError):
        cache.popitem()
    assert not cache


def test_a_callable_ttl_says_for_each_value():
    cache = SieveCache(10, ttl=lambda value: value)
    cache.update(short=0.02, long=timedelta(hours=1), ever=None)
    time.sleep(0.03)
    assert set(cache) == {"long", "ever"}
    assert len(cache) == 2
    assert set(cache.copy()) == {"long", "ever"}


def test_on_evict_is_told_the_cause():
    told = []
    cache = SieveCache(2, on_evict=lambda *what: told.append(what))
    cache.update(a=1, b=2)
    cache["b"] = 3
    cache["c"] = 4
    del cache["b"]
    assert cache.popitem() == ("c", 4)
    cache["d"] = 5
    cache.clear()
    assert told == [
        ("b", 2, "replaced"),
        ("a", 1, "size"),
        ("b", 3, "invalidated"),
        ("c", 4, "invalidated"),
        ("d", 5, "cleared"),
    ]


def test_the_sum_of_weights_is_bounded():
    cache = SieveCache(None, weigher=len, maxweight=10)
    cache.update(a="123", b="456", c="789")
    cache["d"] = "0123"
    assert list(cache) == ["c", "d"] or sum(map(len, cache.values())) <= 10
    cache["huge"] = "x" * 11
    assert "huge" not in cache
    assert cache.stats()["weight"] == sum(map(len, cache.values()))


def test_stats_count_what_happened_since_clear():
    cache = SieveCache(2)
    cache.update(a=1, b=2, c=3)
    cache.get("a")
    cache.get("c")
    del cache["b"]
    stats = cache.stats()
    assert {name: count for name, count in stats.items() if count} == {
        "hits": 1,
        "misses": 1,
        "evictions": 1,
        "invalidations": 1,
        "currsize": 1,
    }
    cache.clear()
    assert not any(cache.stats().values())
