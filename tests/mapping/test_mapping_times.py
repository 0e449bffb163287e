"""The time of single entries of a SieveCache, and its size: set, touch, expires_in, peek, expire, resize, tti."""

from __future__ import annotations

import copy
import datetime
import math
import pickle
import sys

import pytest

import tamis
from helpers.option_tools import Evictions, Time
from tamis import SieveCache


@pytest.fixture
def time():
    return Time()


def test_each_entry_may_have_a_ttl_of_its_own(time):
    cache = SieveCache(10, ttl=100, clock=time)
    cache.set("short", 1, ttl=5)
    cache.set("delta", 2, ttl=datetime.timedelta(seconds=10))
    cache.set("usual", 3)
    cache.set("none", 4, ttl=None)
    assert [cache.expires_in(key) for key in ("short", "delta", "usual", "none")] == [5, 10, 100, 100]
    time.now += 5
    assert "short" not in cache
    assert cache["delta"] == 2
    time.now += 5
    assert list(cache) == ["usual", "none"]


def test_entries_without_a_ttl_stay_where_the_usual_one_is_infinite(time):
    cache = SieveCache(10, ttl=math.inf, clock=time)
    cache["usual"] = 1
    cache.set("short", 2, ttl=5)
    assert cache.expires_in("usual") is None
    time.now += 1e6
    assert list(cache) == ["usual"]


def test_ttl_for_one_entry_of_a_cache_without_time_is_refused():
    cache = SieveCache(10)
    for ask in (lambda: cache.set("key", 1, ttl=5), lambda: cache.touch("key", ttl=5)):
        with pytest.raises(ValueError, match=r"ttl=math\.inf"):
            ask()
    cache.set("key", 1)
    assert cache == {"key": 1}
    assert cache.expires_in("key") is None
    assert cache.touch("key")
    assert not cache.touch("other")


@pytest.mark.parametrize("ttl", [0, -1, "1", True, math.nan])
def test_wrong_ttl_for_one_entry_is_refused_by_name(ttl):
    cache = SieveCache(10, ttl=5)
    with pytest.raises((TypeError, ValueError), match="ttl"):
        cache.set("key", 1, ttl=ttl)
    assert not cache


def test_touched_entry_is_as_if_it_were_stored_now(time):
    left = Evictions()
    cache = SieveCache(10, ttl=10, on_evict=left, weigher=lambda value: value, maxweight=100, clock=time)
    cache["key"] = 7
    time.now += 9
    assert cache.touch("key") is True
    assert cache.expires_in("key") == 10
    assert cache.touch("key", ttl=3) is True
    assert cache.expires_in("key") == 3
    time.now += 3
    assert cache.touch("key") is False
    assert "key" not in cache
    assert cache.stats()["weight"] in (0, 7)
    assert [cause for _, _, cause in left] in ([], ["expired"])


def test_touching_keeps_the_weight(time):
    cache = SieveCache(10, ttl=10, weigher=lambda value: value, maxweight=100, clock=time)
    cache["key"] = 7
    for _ in range(5):
        assert cache.touch("key", ttl=20)
    assert cache.stats()["weight"] == 7


def test_missing_key_has_no_time_left():
    for cache in (SieveCache(3), SieveCache(3, ttl=5)):
        with pytest.raises(KeyError):
            cache.expires_in("key")


def test_peeking_marks_and_counts_nothing(time):
    cache = SieveCache(2, tti=10, clock=time)
    cache["a"], cache["b"] = 1, 2
    assert cache.peek("a") == 1
    assert cache.peek("other") is None
    assert cache.peek("other", 3) == cache.peek("other", default=3) == 3
    assert cache.info()[:2] == (0, 0)
    cache["c"] = 3
    assert list(cache) == ["b", "c"], "peeking has not saved it"


def test_entry_that_is_not_read_for_its_tti_is_dropped(time):
    cache = SieveCache(10, tti=10, clock=time)
    cache["a"], cache["b"] = 1, 2
    time.now += 9
    assert cache["a"] == 1
    assert [cache.expires_in(key) for key in "ab"] == [10, 1]
    time.now += 1
    assert list(cache) == ["a"]
    assert len(cache) == 1
    other = copy.copy(cache)
    assert other == {"a": 1}


def test_expiring_returns_what_has_expired(time):
    left = Evictions()
    cache = SieveCache(10, ttl=10, on_evict=left, clock=time)
    cache["a"], cache["b"] = 1, 2
    time.now += 5
    cache["c"] = 3
    assert cache.expire() == []
    time.now += 5
    assert cache.expire() == [("a", 1), ("b", 2)]
    assert left == [("a", 1, "expired"), ("b", 2, "expired")]
    assert cache.expire() == []
    assert SieveCache(3).expire() == []


def test_resizing_lets_the_victims_of_sieve_go():
    left = Evictions()
    cache = SieveCache(5, on_evict=left)
    for key in range(5):
        cache[key] = key
    cache[0]
    cache.resize(3)
    assert cache.maxsize == 3
    assert list(cache) == [0, 3, 4]
    assert [cause for *_, cause in left] == ["size", "size"]
    cache.resize(None)
    assert cache.maxsize is None
    for key in range(1000):
        cache[key] = key
    assert len(cache) == 1000
    cache.resize(1)
    assert len(cache) == 1
    assert cache.info().maxsize == 1
    assert pickle.loads(pickle.dumps(SieveCache(4))).maxsize == 4


@pytest.mark.parametrize("maxsize", [0, -1, "3", 2.5, True])
def test_wrong_size_is_refused_by_name(maxsize):
    cache = SieveCache(3)
    with pytest.raises((TypeError, ValueError), match="maxsize"):
        cache.resize(maxsize)
    assert cache.maxsize == 3


def test_copy_of_a_resized_cache_has_its_size():
    cache = SieveCache(3)
    cache.resize(7)
    assert copy.copy(cache).maxsize == pickle.loads(pickle.dumps(cache)).maxsize == 7


def test_callables_that_need_two_arguments_get_the_key_too(time):
    cache = SieveCache(
        10, ttl=lambda key, value: key, weigher=lambda key, value: key * value, maxweight=100, clock=time
    )
    cache[5], cache[7] = 2, 3
    assert [cache.expires_in(key) for key in (5, 7)] == [5, 7]
    assert cache.stats()["weight"] == 31
    assert cache.get_or_compute(9, lambda: 1) == 1
    assert cache.setdefault(3, 2) == 2
    assert [cache.expires_in(key) for key in (9, 3)] == [9, 3]
    one = SieveCache(10, ttl=lambda value, more=None: value, clock=time)
    one["key"] = 4
    assert one.expires_in("key") == 4


def test_jitter_shortens_each_ttl_by_its_own_part(time):
    cache = SieveCache(300, ttl=100, jitter=0.5, clock=time)
    for key in range(200):
        cache[key] = key
    left = {cache.expires_in(key) for key in range(200)}
    assert len(left) > 100
    assert all(50 <= seconds <= 100 for seconds in left)


def test_touching_leaks_nothing(time):
    cache = SieveCache(10, ttl=10, clock=time)
    value = object()
    cache["key"] = value
    before = sys.getrefcount(value)
    for _ in range(100):
        cache.touch("key")
        cache.set("key", value, ttl=3)
    assert sys.getrefcount(value) == before


def test_functions_drop_what_has_expired_on_demand(time):
    left = Evictions()
    f = tamis.cache(ttl=10, on_evict=left, clock=time)(lambda x: [x])
    f(1)
    f(2)
    time.now += 5
    f(3)
    assert f.cache_expire() == 0
    time.now += 5
    assert f.cache_expire() == 2
    assert f.cache_info().currsize == 1
    assert [cause for *_, cause in left] == ["expired"] * 2
    assert tamis.cache(len).cache_expire() == 0
    idle = tamis.cache(tti=10, clock=time)(lambda x: [x])
    idle(1)
    time.now += 10
    assert idle.cache_expire() == 1


def test_live_caches_are_listed_in_the_order_of_their_making():
    before = len(tamis.caches())

    class C:
        @tamis.cached_method
        def m(self):
            return 1

    first = tamis.cache(len)
    second = tamis.lru_cache(ttl=5)(len)
    C().m()
    assert tamis.caches()[before:] == [C.m, first, second]
    del first
    assert tamis.caches()[before:] == [C.m, second]
    for _ in range(500):
        tamis.cache(len)
    assert tamis.caches()[before:] == [C.m, second]


def test_types_of_cached_functions_are_public():
    async def coroutine():
        pass

    assert isinstance(tamis.cache(len), tamis.CachedFunction)
    assert isinstance(tamis.cache(coroutine), tamis.AsyncCachedFunction)
    assert not isinstance(len, tamis.CachedFunction)
    assert tamis.CachedFunction[[int], str].__args__ == ([int], str) or tamis.CachedFunction[[int], str]
