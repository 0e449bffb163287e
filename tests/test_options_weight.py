"""weigher, maxweight and on_evict: who leaves, and who is told."""

from __future__ import annotations

import sys

import pytest
from option_tools import Evictions, Time, fresh_list

from tamis import cache, lru_cache


@pytest.fixture
def time():
    return Time()


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


@pytest.mark.parametrize(
    ("weight", "error"), [(-1, ValueError), (1.5, TypeError), (None, TypeError), (True, TypeError)]
)
def test_weigher_returns_a_whole_number(weight, error):
    f = cache(weigher=lambda value: weight, maxweight=3)(fresh_list)
    with pytest.raises(error, match="weigher must return"):
        f(1)


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
