"""Threads in one SieveCache, and get_or_compute, which computes once."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest

from helpers.thread_tools import in_threads
from tamis import SieveCache


def test_threads_compute_each_key_once_and_all_get_that_result():
    cache: SieveCache[int, object] = SieveCache(None)
    computed: list[int] = []
    results: list[list[object]] = [[] for _ in range(8)]

    def work(number: int) -> None:
        for key in range(20):

            def make(key: int = key) -> object:
                computed.append(key)
                time.sleep(0.002)
                return object()

            results[number].append(cache.get_or_compute(key, make))

    in_threads(8, work)
    assert sorted(computed) == list(range(20))
    assert all(found == results[0] for found in results)
    stats = cache.stats()
    assert (stats["misses"], stats["hits"]) == (20, 140)


def test_an_error_of_the_factory_goes_to_all_who_wait_and_to_no_later_caller():
    cache: SieveCache[str, int] = SieveCache(3)
    inside = threading.Event()
    calls: list[int] = []

    def fail() -> int:
        calls.append(1)
        inside.set()
        deadline = time.monotonic() + 10
        while cache.stats()["coalesced"] == 0 and len(waiting) < 3 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.05)
        raise ZeroDivisionError

    waiting: list[int] = []

    def work(number: int) -> None:
        if number:
            inside.wait()
            waiting.append(number)
        with pytest.raises(ZeroDivisionError):
            cache.get_or_compute("k", fail)

    in_threads(4, work)
    assert len(calls) < 4
    assert cache.get_or_compute("k", lambda: 5) == 5


def test_a_factory_that_asks_for_its_own_key_computes_for_itself():
    cache: SieveCache[str, int] = SieveCache(3)
    assert cache.get_or_compute("k", lambda: cache.get_or_compute("k", lambda: 1) + 1) == 1
    assert cache["k"] == 1


def test_who_asks_after_a_deletion_does_not_get_what_was_being_computed_before():
    cache: SieveCache[str, str] = SieveCache(3)
    begun, go_on = threading.Event(), threading.Event()
    found: list[str] = []

    def old() -> str:
        begun.set()
        go_on.wait(20)
        return "old"

    first = threading.Thread(target=lambda: found.append(cache.get_or_compute("k", old)))
    first.start()
    begun.wait(20)
    cache.pop("k", None)
    assert cache.get_or_compute("k", lambda: "new") == "new"
    go_on.set()
    first.join()
    # The first caller finds the newer value stored, which stays.
    assert found == ["new"]
    assert cache["k"] == "new"


def test_threads_that_do_everything_at_once_keep_values_with_their_keys():
    cache: SieveCache[Any, Any] = SieveCache(40, on_evict=lambda *_: None)
    plain: SieveCache[Any, Any] = SieveCache(40)

    def work(number: int) -> None:
        rng = random.Random(number)
        for _ in range(3000):
            for mapping in (cache, plain):
                key: Any = rng.randrange(120)
                key = key if key % 3 else f"text {key}"
                operation = rng.randrange(12)
                if operation < 4:
                    assert mapping.get(key, ("value", key)) == ("value", key)
                elif operation < 8:
                    mapping[key] = ("value", key)
                elif operation == 8:
                    assert mapping.pop(key, ("value", key)) == ("value", key)
                elif operation == 9:
                    assert mapping.get_or_compute(key, lambda key=key: ("value", key)) == ("value", key)
                elif operation == 10:
                    assert all(value == ("value", key) for key, value in mapping.items())
                    assert len(mapping) <= 40
                else:
                    try:
                        key, value = mapping.popitem()
                        assert value == ("value", key)
                    except KeyError:
                        pass

    in_threads(4, work)
    assert len(cache) == len(list(cache)) <= 40
