"""ttl, tti, jitter, stale and clock: until when an entry is good."""

from __future__ import annotations

import datetime
import itertools

import pytest

from helpers.option_tools import fresh_list
from tamis import cache, lru_cache


@pytest.mark.parametrize("ttl", [10, 10.0, datetime.timedelta(seconds=10), lambda result: 10])
def test_entry_is_fresh_until_its_ttl_is_over(time, ttl):
    f = lru_cache(ttl=ttl, clock=time)(fresh_list)
    first = f(1)
    time.now += 9.9
    assert f(1) is first
    assert f.cache_contains(1)
    time.now += 0.1
    assert not f.cache_contains(1)
    assert f.cache_info().currsize == 1
    second = f(1)
    assert second is not first
    assert f.cache_info() == (1, 2, 128, 1)
    assert f.cache_stats()["expirations"] == 1
    time.now += 9.9
    assert f(1) is second


def test_ttl_counts_from_when_the_result_was_stored(time):
    @cache(ttl=10, clock=time)
    def slow(x):
        time.now += 100
        return object()

    first = slow(1)
    assert slow(1) is first


def test_ttl_of_each_result_can_be_its_own(time):
    f = cache(ttl=lambda result: result, clock=time)(lambda seconds: seconds)
    assert [f(5), f(None), f(0)] == [5, None, 0]
    assert [f.cache_contains(key) for key in (5, None, 0)] == [True, True, False]
    time.now += 5
    assert [f.cache_contains(key) for key in (5, None, 0)] == [False, True, False]


def test_expired_entry_takes_no_second_slot(time):
    f = lru_cache(maxsize=2, ttl=1, clock=time)(fresh_list)
    for _ in range(20):
        f(1)
        f(2)
        assert f.cache_info().currsize == 2
        time.now += 1
    assert f.cache_stats()["evictions"] == 0


def test_entry_that_is_not_read_for_its_tti_is_dropped(time):
    f = cache(tti=10, clock=time)(fresh_list)
    first = f(1)
    for _ in range(5):
        time.now += 9
        assert f(1) is first
    time.now += 10
    assert f(1) is not first


def test_looking_does_not_count_as_reading(time):
    f = cache(tti=10, clock=time)(fresh_list)
    first = f(1)
    time.now += 9
    assert f.cache_contains(1)
    time.now += 1
    assert f(1) is not first


def test_jitter_shortens_each_ttl_by_its_own_part(time):
    f = cache(ttl=100, jitter=0.5, clock=time)(lambda x: x)
    for key in range(200):
        f(key)
    left = []
    for _ in range(10):
        left.append(sum(f.cache_contains(key) for key in range(200)))
        time.now += 10
    assert left[:5] == [200] * 5, "no entry loses more than half"
    assert all(before > after for before, after in itertools.pairwise(left[5:])), left
    assert not any(f.cache_contains(key) for key in range(200))


def test_stale_entry_is_returned_to_all_but_one(time):
    calls = []

    @cache(ttl=10, stale=5, clock=time)
    def f(x):
        calls.append(x)
        if len(calls) == 2:
            inside.append(f(x))
        return object()

    inside = []
    first = f(1)
    time.now += 10
    second = f(1)
    assert second is not first
    assert inside == [first], "a call during the recomputation gets the old value"
    assert calls == [1, 1]
    assert f.cache_stats()["stale_hits"] == 1
    time.now += 15
    assert f(1) is not second


def test_failed_refresh_leaves_the_stale_value(time):
    failing = []

    @cache(ttl=10, stale=5, clock=time)
    def f(x):
        if failing:
            raise LookupError
        return object()

    first = f(1)
    time.now += 11
    failing.append(True)
    for _ in range(2):
        with pytest.raises(LookupError):
            f(1)
        assert f.cache_contains(1)
    failing.clear()
    assert f(1) is not first


@pytest.mark.parametrize("options", [{"ttl": 0.05}, {"ttl": 1.5}, {"tti": 0.05}])
def test_without_a_clock_of_its_own_a_cache_uses_real_time(options):
    import time as real

    f = cache(**options)(fresh_list)
    first = f(1)
    assert f(1) is first
    real.sleep(max(options.values()) + 0.05)
    assert f(1) is not first


def test_error_of_the_clock_leaves_through_the_call():
    def broken():
        raise LookupError

    f = cache(ttl=1, clock=broken)(fresh_list)
    with pytest.raises(LookupError):
        f(1)
    with pytest.raises(TypeError, match="clock must return seconds"):
        cache(ttl=1, clock=lambda: "now")(fresh_list)(1)


@pytest.mark.parametrize("single_flight", [False, True])
def test_refresh_is_tried_again_after_an_error(time, single_flight):
    fails = []

    @cache(ttl=10, stale=1000, clock=time, single_flight=single_flight)
    def f(x):
        if fails:
            raise LookupError
        return object()

    first = f(1)
    time.now += 11
    fails.append(1)
    for _ in range(3):
        with pytest.raises(LookupError):
            f(1)
    fails.clear()
    assert f(1) is not first
    assert f.cache_stats()["stale_hits"] == 0


@pytest.mark.parametrize("name", ["ttl", "tti"])
def test_time_beyond_all_floats_is_for_ever(name):
    f = cache(**{name: 10**400})(fresh_list)
    assert f(1) is f(1)
    with pytest.raises(ValueError, match=name):
        cache(**{name: -(10**400)})


def test_stale_read_counts_as_reading(time):
    inside = []

    @cache(ttl=1, stale=100, tti=5, clock=time)
    def f(x):
        if inside:
            time.now += 4
            inside.append(f(x))
            time.now += 2
            inside.append(f(x))
        return object()

    first = f(1)
    time.now += 2
    inside.append(None)
    f(1)
    assert inside[1:] == [first, first]
