"""weigher, maxweight and on_evict: which entries are evicted, and what the callback is told."""

from __future__ import annotations

import sys

import pytest

from helpers.option_tools import Evictions
from tamis import SieveCache, cache, lru_cache


def test_total_weight_is_a_bound():
    evicted = Evictions()
    f = cache(weigher=len, maxweight=10, on_evict=evicted)(lambda text: text)
    for text in ("abcd", "efgh", "ij"):
        f(text)
    assert f.cache_stats()["weight"] == 10
    f("k")
    assert evicted == [("abcd", "abcd", "size")]
    assert f.cache_stats()["weight"] == 7
    assert f("a text that is too heavy") == "a text that is too heavy"
    assert not f.cache_contains("a text that is too heavy")
    f.cache_put("123456789", "k")
    assert f.cache_stats()["weight"] <= 10
    assert f("k") == "123456789"
    f.cache_clear()
    assert f.cache_stats()["weight"] == 0


def test_value_that_became_too_heavy_takes_the_old_one_with_it():
    evicted = Evictions()
    f = cache(weigher=len, maxweight=3, on_evict=evicted)(lambda x: "ab")
    f(1)
    f.cache_put("abcdef", 1)
    assert not f.cache_contains(1)
    assert evicted == [(1, "ab", "replaced")]


def test_on_evict_tells_why_an_entry_has_left(time):
    evicted = Evictions()
    f = lru_cache(maxsize=2, ttl=10, clock=time, on_evict=evicted)(lambda *args, **kwargs: (args, kwargs))
    f(1)
    f(2, 3)
    f(4, a=5)
    assert evicted == [(1, ((1,), {}), "size")]
    assert f.cache_invalidate(2, 3)
    assert evicted[1:] == [((2, 3), ((2, 3), {}), "invalidated")]
    f.cache_put("new", 4, a=5)
    assert evicted[2:] == [(((4,), {"a": 5}), ((4,), {"a": 5}), "replaced")]
    time.now += 10
    f(4, a=5)
    assert evicted[3:] == [(((4,), {"a": 5}), "new", "expired")]
    f()
    f.cache_clear()
    assert sorted(cause for _, _, cause in evicted[4:]) == ["cleared", "cleared"]
    assert () in [key for key, _, _ in evicted[4:]]


def test_on_evict_may_call_back_and_its_errors_harm_nobody(monkeypatch):
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)

    def callback(key, value, cause):
        f.cache_info()
        if key == 3:
            f.cache_clear()
        elif key < 50:
            f(key + 100)
        raise LookupError(key)

    f = lru_cache(maxsize=1, on_evict=callback)(lambda x: x)
    f(1)
    assert f(3) == 3
    assert f(4) == 4
    assert {type(report.exc_value) for report in unraisable} == {LookupError}
    assert f.cache_info().currsize <= 1


def test_on_evict_that_stores_while_the_cache_is_cleared_keeps_the_weight_right():
    def callback(key, value, cause):
        if cause == "cleared" and key < 100:
            f.cache_put("x" * 10, key + 100)

    f = cache(weigher=len, maxweight=100, on_evict=callback)(lambda x: "x" * 10)
    for key in range(5):
        f(key)
    f.cache_clear()
    assert f.cache_stats()["weight"] == 10 * f.cache_info().currsize
    f.cache_clear()
    assert f.cache_stats()["weight"] == 10 * f.cache_info().currsize == 0


def test_value_that_grew_makes_only_as_much_room_as_it_needs():
    f = cache(weigher=lambda value: value, maxweight=20)(lambda x: 1)
    for key in ("X", 0, 1, 2, 3, 4):
        f(key)
        f(key)
    f.cache_put(18, "X")
    stats = f.cache_stats()
    assert stats["weight"] <= 20
    assert stats["currsize"] > 0
    assert stats["weight"] == sum(f(key) for key in ("X", 0, 1, 2, 3, 4) if f.cache_contains(key))


# ---- replacing by what is heavier -----------------------------------------------------------------------------------


def weighed(**options):
    """A cache of numbers that weigh what they are, 10 at most."""
    return cache(weigher=lambda value: value, maxweight=10, **options)


@pytest.mark.parametrize("others", [{}, {"b": 5}, {"b": 3, "c": 2}, {"b": 1, "c": 1, "d": 1}])
@pytest.mark.parametrize("heavier", [6, 9, 10])
def test_value_that_replaces_a_lighter_one_stays(others, heavier):
    c = SieveCache(None, weigher=lambda value: value, maxweight=10)
    f = weighed()(lambda key: heavier)
    c["a"] = 5
    f.cache_put(5, "a")
    for key, weight in others.items():
        c[key] = weight
        f.cache_put(weight, key)
    c["a"] = heavier
    f.cache_put(heavier, "a")
    assert c["a"] == heavier
    assert f.cache_contains("a")
    for cache_stats in (c.stats(), f.cache_stats()):
        assert cache_stats["weight"] == heavier + sum(weight for key, weight in others.items() if key in c) <= 10
    assert [key for key in others if key in c] == [key for key in others if f.cache_contains(key)]


def test_only_as_many_leave_as_must_and_the_newcomer_is_none_of_them():
    evicted = Evictions()
    c = SieveCache(None, weigher=lambda value: value, maxweight=10, on_evict=evicted)
    for key in "abcde":
        c[key] = 2
    for _ in range(30):
        for key in "abcde":
            c[key] = 2
            c[key] = 6
            assert c[key] == 6
            assert c.stats()["weight"] <= 10
    evicted.clear()
    c.clear()
    for key in "abcde":
        c[key] = 2
    evicted.clear()
    c["a"] = 5
    assert evicted == [("a", 2, "replaced"), ("b", 2, "size"), ("c", 2, "size")]


def test_result_that_replaces_an_expired_or_a_stale_one_stays(time):
    f = weighed(ttl=10, stale=10, clock=time)(lambda key: weight)
    for later, cause in ((11, "stale"), (21, "expired")):
        weight = 5
        f.cache_clear()
        f("a")
        f("b")
        time.now += later
        weight = 8
        assert f("a") == 8
        assert f.cache_contains("a"), cause
        assert f.cache_stats()["weight"] == 8
    weight = 10
    assert f.cache_refresh("a") == 10
    assert f.cache_contains("a")


def test_a_single_entry_does_not_make_the_hand_search_for_ever():
    c = SieveCache(None, weigher=lambda value: value, maxweight=10)
    for weight in range(11):
        c["a"] = weight
        assert c["a"] == weight
    c["a"] = 11
    assert "a" not in c
    assert c.stats()["weight"] == 0
