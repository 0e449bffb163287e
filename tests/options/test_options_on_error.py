"""stale_if_error and retry: an entry past its time is returned where computing it anew raises."""

from __future__ import annotations

import gc
import threading

import pytest

from helpers.option_tools import Evictions
from tamis import cache, cached_method, lru_cache


class Source:
    """A function that can be made to fail. Each value is a new object."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        if self.error is not None:
            raise self.error
        return [x]


@pytest.fixture
def source():
    return Source()


def test_value_past_its_ttl_is_returned_where_computing_it_anew_raises(time, source):
    f = cache(ttl=10, stale_if_error=60, clock=time)(source)
    first = f(1)
    source.error = ZeroDivisionError()
    time.now += 10
    assert f(1) is first
    assert source.calls == 2
    stats = f.cache_stats()
    assert stats["errors"] == 1
    assert stats["misses"] == 2, "the call has computed"


def test_after_an_error_the_value_passes_for_checked_for_retry_seconds(time, source):
    f = cache(ttl=10, stale_if_error=60, retry=5, clock=time)(source)
    first = f(1)
    source.error = ZeroDivisionError()
    time.now += 10
    for _ in range(3):
        assert f(1) is first
    assert source.calls == 2
    time.now += 4.9
    assert f(1) is first
    assert source.calls == 2
    time.now += 0.1
    assert f(1) is first
    assert source.calls == 3
    source.error = None
    time.now += 5
    assert f(1) is not first
    assert source.calls == 4


def test_retry_is_a_second_where_it_is_not_given(time, source):
    f = cache(ttl=10, stale_if_error=60, clock=time)(source)
    f(1)
    source.error = ZeroDivisionError()
    time.now += 10
    f(1)
    time.now += 0.9
    f(1)
    assert source.calls == 2
    time.now += 0.1
    f(1)
    assert source.calls == 3


@pytest.mark.parametrize("stale", [None, 5])
def test_the_span_counts_from_the_end_of_ttl_and_stale(time, source, stale):
    f = cache(ttl=10, stale=stale, stale_if_error=20, clock=time)(source)
    end = time.now + 10 + (stale or 0) + 20
    first = f(1)
    source.error = ZeroDivisionError()
    time.now = end - 0.5
    assert f(1) is first
    time.now = end
    with pytest.raises(ZeroDivisionError):
        f(1)
    assert f.cache_stats()["errors"] == 1


def test_being_checked_does_not_make_a_value_older_than_it_may_be(time, source):
    f = cache(ttl=10, stale_if_error=20, retry=1000, clock=time)(source)
    first = f(1)
    source.error = ZeroDivisionError()
    time.now += 29
    assert f(1) is first
    time.now += 1
    with pytest.raises(ZeroDivisionError):
        f(1)


def test_who_recomputes_a_stale_entry_and_fails_gets_it_too(time, source):
    f = cache(ttl=10, stale=5, stale_if_error=20, retry=2, clock=time)(source)
    first = f(1)
    source.error = ZeroDivisionError()
    time.now += 11
    assert f(1) is first
    assert (f.cache_stats()["errors"], source.calls) == (1, 2)
    time.now += 2
    source.error = None
    assert f(1) is not first


def test_an_error_without_an_earlier_value_is_raised(time, source):
    f = cache(ttl=10, stale_if_error=20, clock=time)(source)
    source.error = ZeroDivisionError("none")
    with pytest.raises(ZeroDivisionError, match="none"):
        f(1)
    assert f.cache_stats()["errors"] == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_exception_of_the_program_is_raised(time, source, error):
    f = cache(ttl=10, stale_if_error=20, clock=time)(source)
    first = f(1)
    time.now += 10
    source.error = error()
    with pytest.raises(error):
        f(1)
    source.error = ZeroDivisionError()
    assert f(1) is first


def test_value_that_is_kept_for_errors_alone_is_not_there_for_anybody_who_looks(time, source):
    f = cache(ttl=10, stale=5, stale_if_error=20, clock=time)(source)
    f(1)
    time.now += 14
    assert f.cache_contains(1)
    time.now += 1
    assert not f.cache_contains(1)
    assert not f.cache_invalidate(1)
    source.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        f(1)


def test_value_that_was_invalidated_while_the_call_failed_is_not_returned(time):
    def compute(x):
        if fails:
            f.cache_invalidate(x)
            raise ZeroDivisionError
        return [x]

    fails = False
    f = cache(ttl=10, stale=50, stale_if_error=20, clock=time)(compute)
    f(1)
    time.now += 11
    fails = True
    with pytest.raises(ZeroDivisionError):
        f(1)


def test_value_that_another_call_has_stored_while_this_one_failed_is_returned(time):
    def compute(x):
        if fails:
            f.cache_put("new", x)
            raise ZeroDivisionError
        return [x]

    fails = False
    f = cache(ttl=10, stale_if_error=20, clock=time)(compute)
    f(1)
    time.now += 11
    fails = True
    assert f(1) == "new"


def test_refreshing_by_hand_raises(time, source):
    f = cache(ttl=10, stale_if_error=20, clock=time)(source)
    first = f(1)
    source.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        f.cache_refresh(1)
    assert f(1) is first


def test_all_who_wait_for_a_flight_that_fails_get_the_earlier_value(time):
    begun, go = threading.Event(), threading.Event()

    def compute(x):
        if fails:
            begun.set()
            go.wait(10)
            raise ZeroDivisionError
        return [x]

    fails = False
    f = cache(ttl=10, stale_if_error=20, single_flight=True, clock=time)(compute)
    first = f(1)
    time.now += 10
    fails = True
    got = []
    threads = [threading.Thread(target=lambda: got.append(f(1))) for _ in range(4)]
    for thread in threads:
        thread.start()
    begun.wait(10)
    go.set()
    for thread in threads:
        thread.join()
    assert len(got) == 4
    assert all(value is first for value in got)


def test_copies_are_made_of_the_earlier_value_too(time, source):
    f = cache(ttl=10, stale_if_error=20, copy=True, clock=time)(source)
    first = f(1)
    source.error = ZeroDivisionError()
    time.now += 10
    assert f(1) == first
    assert f(1) is not f(1)


def test_entry_is_told_as_expired_only_when_its_whole_time_is_over(time, source):
    left = Evictions()
    f = lru_cache(maxsize=1, ttl=10, stale_if_error=20, on_evict=left, clock=time)(source)
    f(1)
    time.now += 15
    f(2)
    assert [cause for _, _, cause in left] == ["size"]
    time.now += 30
    f(3)
    assert [cause for _, _, cause in left] == ["size", "expired"]


def test_each_instance_of_a_class_has_it(time):
    class C:
        error = None

        @cached_method(ttl=10, stale_if_error=20, clock=time)
        def f(self, x):
            if self.error:
                raise self.error
            return [x]

    instance = C()
    first = instance.f(1)
    time.now += 10
    instance.error = ZeroDivisionError()
    assert instance.f(1) is first


def test_the_exception_is_dropped(time, source):
    class Held(Exception):
        pass

    f = cache(ttl=10, stale_if_error=20, retry=0.001, clock=time)(source)
    f(1)
    for _ in range(20):
        source.error = Held()
        time.now += 0.5
        f(1)
        time.now += 0.5
    source.error = None
    gc.collect()
    assert not [one for one in gc.get_objects() if isinstance(one, Held)]


def test_clock_that_fails_when_the_function_has_failed_changes_nothing(time):
    def clock():
        if broken:
            raise RuntimeError("clock")
        return time.now

    def compute(x):
        nonlocal broken
        if broken is None:
            broken = True
            raise ZeroDivisionError("function")
        return [x]

    broken = False
    f = cache(ttl=10, stale_if_error=20, clock=clock)(compute)
    f(1)
    time.now += 10
    broken = None
    with pytest.raises(ZeroDivisionError, match="function"):
        f(1)
