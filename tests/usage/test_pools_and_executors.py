"""Cached functions in pools of threads and processes, and functions that wait for a pool themselves."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import multiprocessing
import subprocess
import sys
import threading
from types import ModuleType

import pytest

import tamis
from helpers.package_tools import as_functools


class Account:
    def __init__(self, balance: int) -> None:
        self.balance = balance

    @tamis.lru_cache(maxsize=4)
    def product(self, count: int) -> int:
        return self.balance * count


def test_one_thread_of_a_pool_computes_and_the_others_wait():
    calls = []
    begun, go = threading.Event(), threading.Event()

    @tamis.cache(single_flight=True)
    def double(number: int) -> int:
        calls.append(number)
        begun.set()
        assert go.wait(30)
        return 2 * number

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        results = [pool.submit(double, 3) for _ in range(5)]
        assert begun.wait(30)
        go.set()
        assert [result.result(30) for result in results] == [6] * 5
    assert calls == [3]


def test_coroutines_that_run_one_function_in_an_executor_compute_once():
    calls = []

    @tamis.cache(single_flight=True)
    def double(number: int) -> int:
        calls.append(number)
        return 2 * number

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(None, double, number % 2) for number in range(8)))

    assert asyncio.run(main()) == [0, 2] * 4
    assert sorted(calls) == [0, 1]


def test_what_a_computation_hands_to_a_pool_is_not_to_make_the_same_call_but_a_limit_ends_the_wait():
    pool = concurrent.futures.ThreadPoolExecutor(1)
    inside = []

    @tamis.cache(single_flight=True)
    def total(number: int) -> int:
        if not inside:
            inside.append(pool.submit(total, number))
            inside[0].result(timeout=0.2)
        return number

    with pool:
        with pytest.raises(concurrent.futures.TimeoutError):
            total(1)
        # The one that was waited for gets the same error, unless it came so late that it computed.
        assert not concurrent.futures.wait(inside, timeout=30).not_done
        assert total(1) == 1


def test_a_computation_may_hand_other_calls_to_a_pool_and_its_own_without_the_cache():
    with concurrent.futures.ThreadPoolExecutor(2) as pool:

        @tamis.cache(single_flight=True)
        def total(number: int) -> int:
            if number == 0:
                return 0
            return number + pool.submit(total, 0).result(30)

        @tamis.cache(single_flight=True)
        def direct(number: int, again: bool = True) -> int:
            return pool.submit(direct.__wrapped__, number, False).result(30) if again else 2 * number

        assert [result.result(30) for result in [pool.submit(total, 5)]] == [5]
        assert direct(4) == 8


def test_a_coroutine_function_that_awaits_an_executor_for_its_own_function_computes_once():
    calls = []

    @tamis.cache
    async def double(number: int) -> int:
        calls.append(number)
        return await asyncio.get_running_loop().run_in_executor(None, lambda: 2 * number)

    async def main() -> list[int]:
        return await asyncio.gather(*(double(3) for _ in range(4)))

    assert asyncio.run(main()) == [6] * 4
    assert calls == [3]


@tamis.cache
def double(number: int) -> int:
    return 2 * number


@functools.cache
def double_by_functools(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_processes_of_a_pool_take_cached_functions_and_methods(method: str):
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        assert list(pool.map(double, range(3))) == [0, 2, 4]
        assert pool.submit(double_by_functools, 3).result(60) == 6
        assert pool.submit(Account(3).product, 4).result(60) == 12
        assert pool.submit(Account.product, Account(3), 4).result(60) == 12


@as_functools
def test_the_caches_of_a_script_reach_its_processes(caches: ModuleType, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(f"""
import concurrent.futures, multiprocessing
import {caches.__name__} as caches

@caches.cache
def double(number):
    return 2 * number

class Account:
    @staticmethod
    @caches.cache
    def of_nobody(number):
        return 3 * number

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        assert list(pool.map(double, range(3))) == [0, 2, 4]
        assert pool.submit(Account.of_nobody, 3).result() == 9
""")
    subprocess.run([sys.executable, str(script)], check=True, timeout=60)
