"""ttl, tti, jitter and stale of shared caches."""

from __future__ import annotations

import datetime
import threading
import time

import pytest

from helpers.marks import for_shared_caches, has_two_functions_of_one_name
from helpers.region_tools import counted

pytestmark = [for_shared_caches, has_two_functions_of_one_name]


@pytest.mark.parametrize("value", ["immutable", ["mutable"]])
@pytest.mark.parametrize("ttl", [0.1, datetime.timedelta(seconds=0.1), lambda result: 0.1])
def test_entry_expires(shared, ttl, value):
    g = counted(lambda x: value)
    f = shared(ttl=ttl)(g)
    f(1)
    f(1)
    assert len(g.calls) == 1
    time.sleep(0.12)
    assert not f.cache_contains(1)
    f(1)
    assert len(g.calls) == 2
    assert f.cache_stats()["expirations"] == 1


def test_wrapper_without_ttl_sees_entries_of_another_expire(shared):
    f, e = shared(ttl=0.1)(lambda x: "first"), shared()(lambda x: "second")
    assert f(1) == e(1) == e(1) == "first"
    time.sleep(0.12)
    assert e(1) == "second"


def test_entry_that_is_not_read_for_its_tti_is_dropped(shared):
    g = counted(lambda x: x)
    f = shared(tti=0.3)(g)
    f(1)
    for _ in range(4):
        time.sleep(0.1)
        f(1)
    assert len(g.calls) == 1
    time.sleep(0.35)
    f(1)
    assert len(g.calls) == 2


def test_stale_entry_is_returned_while_one_caller_recomputes(shared):
    results = iter(["first", "second"])
    started, go_on = threading.Event(), threading.Event()

    def compute(x):
        result = next(results)
        if result == "second":
            started.set()
            assert go_on.wait(20)
        return result

    f = shared(ttl=0.05, stale=60)(compute)
    e = shared(ttl=0.05, stale=60)(compute)
    assert f(1) == "first"
    time.sleep(0.07)
    refresher = threading.Thread(target=f, args=(1,))
    refresher.start()
    assert started.wait(20)
    assert [f(1), e(1), f(1)] == ["first"] * 3
    assert f.cache_stats()["stale_hits"] == 3
    go_on.set()
    refresher.join()
    assert f(1) in ("second", "first")
    assert f.cache_refresh is not None


def test_refresh_that_fails_leaves_the_next_to_try(shared):
    calls = []

    def compute(x):
        calls.append(x)
        if len(calls) == 2:
            raise ZeroDivisionError
        return len(calls)

    f = shared(ttl=0.05, stale=60)(compute)
    assert f(1) == 1
    time.sleep(0.07)
    with pytest.raises(ZeroDivisionError):
        f(1)
    assert f(1) == 3


def test_jitter_shortens_each_ttl(shared):
    f = shared(ttl=0.4, jitter=1, maxsize=None)(lambda x: x)
    for x in range(200):
        f(x)
    time.sleep(0.2)
    alive = sum(f.cache_contains(x) for x in range(200))
    assert 0 < alive < 200
