"""stale_if_error and background with backend="shared"."""

from __future__ import annotations

import asyncio
import time

import pytest

from tamis import cache


@pytest.fixture
def make(tmp_path):
    def make(function, **options):
        return cache(backend="shared", path=tmp_path, name="f", **options)(function)

    return make


def test_value_past_its_ttl_is_returned_where_computing_it_anew_raises(make):
    calls, error = [], None

    def compute(x):
        calls.append(x)
        if error:
            raise error
        return [x, len(calls)]

    f = make(compute, ttl=0.02, stale_if_error=60, retry=60)
    first = f(1)
    time.sleep(0.03)
    assert not f.cache_contains(1)
    error = ZeroDivisionError()
    assert f(1) == first
    assert f(1) == first
    assert len(calls) == 2
    assert f.cache_stats()["errors"] == 1
    f.cache_invalidate(1)
    with pytest.raises(ZeroDivisionError):
        f(1)


def test_value_that_was_invalidated_while_the_call_failed_is_not_returned(make):
    def compute(x):
        if fails:
            f.cache_invalidate(x)
            raise ZeroDivisionError
        return [x]

    fails = False
    f = make(compute, ttl=0.02, stale=60, stale_if_error=60)
    f(1)
    time.sleep(0.03)
    fails = True
    with pytest.raises(ZeroDivisionError):
        f(1)


def test_job_computes_what_is_stale(make):
    jobs, calls = [], []

    def compute(x):
        calls.append(x)
        return len(calls)

    f = make(compute, ttl=0.02, stale=60, background=jobs.append)
    assert f(1) == 1
    time.sleep(0.03)
    assert [f(1), f(1)] == [1, 1]
    assert len(jobs) == 1
    assert jobs.pop()() == 2
    assert f(1) == 2
    time.sleep(0.03)
    f(1)
    jobs.clear()
    f(1)
    assert len(jobs) == 1, "a job that was dropped leaves the entry to the next caller"


def test_task_computes_what_is_stale_and_an_error_is_answered_with_the_entry(make):
    calls, error = [], None

    async def compute(x):
        calls.append(x)
        if error:
            raise error
        return len(calls)

    f = make(compute, ttl=0.02, stale=0.05, stale_if_error=60, retry=60, background=True)

    async def main():
        nonlocal error
        assert await f(1) == 1
        await asyncio.sleep(0.03)
        assert await f(1) == 1
        await asyncio.sleep(0.01)
        assert await f(1) == 2
        await asyncio.sleep(0.08)
        error = ZeroDivisionError()
        assert await f(1) == 2
        assert await f(1) == 2
        assert len(calls) == 3
        assert f.cache_stats()["errors"] == 1

    asyncio.run(main())
