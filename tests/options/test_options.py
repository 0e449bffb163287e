"""What holds for all options beside maxsize and typed."""

from __future__ import annotations

import datetime
import gc
import weakref

import pytest

import tamis
from helpers.option_tools import fresh_list
from tamis import cache, lru_cache


def test_given_options_are_among_the_parameters(time):
    given = {"ttl": datetime.timedelta(seconds=3), "jitter": 0.5, "clock": time, "copy": False}
    f = lru_cache(maxsize=7, typed=True, **given)(fresh_list)
    assert f.cache_parameters() == {"maxsize": 7, "typed": True, **given}
    f.cache_parameters().clear()
    assert f.cache_parameters()["jitter"] == 0.5


def test_one_decorator_makes_many_caches(time):
    decorate = lru_cache(maxsize=2, ttl=3, clock=time)
    f, g = decorate(lambda x: "f"), decorate(lambda x: "g")
    assert f(1) == "f"
    assert g(1) == "g"
    assert not g.cache_contains(2)


@pytest.mark.parametrize("options", [{"ttl": 5}, {"key": lambda x: x}, {"weigher": lambda v: 1, "maxweight": 9}])
def test_maxsize_zero_stores_nothing(options):
    f = lru_cache(maxsize=0, **options)(fresh_list)
    assert f(1) is not f(1)
    assert f.cache_info() == (0, 2, 0, 0)
    assert not f.cache_contains(1)
    assert f.cache_invalidate(1) is False


def test_plain_cache_has_stats_too():
    f = lru_cache(maxsize=2)(lambda x: x)
    for key in (1, 1, 2, 3, 4):
        f(key)
    f.cache_invalidate(4)
    stats = f.cache_stats()
    assert stats == {
        "hits": 1,
        "misses": 4,
        "evictions": 2,
        "expirations": 0,
        "invalidations": 1,
        "stale_hits": 0,
        "coalesced": 0,
        "currsize": 1,
        "weight": 0,
    }
    f.cache_clear()
    assert not any(f.cache_stats().values())


def test_clearing_zeroes_all_that_was_counted(time):
    f = lru_cache(maxsize=2, ttl=1, stale=1, clock=time, on_evict=lambda *args: None)(fresh_list)
    for key in range(5):
        f(key)
    time.now += 5
    f(4)
    f.cache_clear()
    assert not any(f.cache_stats().values())


@pytest.mark.parametrize("option", ["key", "on_evict", "ttl", "weigher", "copy", "clock"])
def test_cycle_through_an_option_is_collected(option):
    class Holder:
        def __call__(self, *args):
            return 1

    holder = Holder()
    options = {option: holder} | ({"maxweight": 5} if option == "weigher" else {})
    options |= {"ttl": 5} if option == "clock" else {}
    holder.cached = cache(**options)(fresh_list)
    holder.cached(1)
    reference = weakref.ref(holder)
    del holder, options
    gc.collect()
    assert reference() is None


def test_cycle_through_a_value_is_collected():
    class Value:
        pass

    f = cache(ttl=100)(lambda x: Value())
    f(1).cache = f
    reference = weakref.ref(f(1))
    del f
    gc.collect()
    assert reference() is None


def test_module_says_what_it_has():
    assert {"lru_cache", "cache", "CacheInfo"} <= set(tamis.__all__)


def test_error_through_a_flight_keeps_its_context():
    @cache(single_flight=True)
    def f(x):
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError:
            raise ValueError(x)  # noqa: B904

    try:
        raise KeyError
    except KeyError:
        with pytest.raises(ValueError, match="1") as caught:
            f(1)
    assert isinstance(caught.value.__context__, ZeroDivisionError)
    assert isinstance(caught.value.__context__.__context__, KeyError)
