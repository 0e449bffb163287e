"""Python code that an operation of SieveCache runs uses the same cache."""

from __future__ import annotations

import contextlib
import gc
import sys
from typing import Any

import pytest

from helpers.mapping_tools import WAYS_TO_MAKE
from tamis import SieveCache


class Tricky:
    """A key whose __hash__ and __eq__ do as they are told."""

    def __init__(self, number: int, on_eq: Any = None, on_hash: Any = None) -> None:
        self.number, self.on_eq, self.on_hash = number, on_eq, on_hash

    def __hash__(self) -> int:
        if self.on_hash:
            self.on_hash()
        return 7

    def __eq__(self, other: object) -> bool:
        # The stored key is asked, about the one that is looked for.
        for key in (self, other):
            if isinstance(key, Tricky) and key.on_eq:
                key.on_eq()
        return isinstance(other, Tricky) and self.number == other.number


OPERATIONS = {
    "get": lambda cache, key: cache.get(key),
    "subscript": lambda cache, key: cache[key],
    "contains": lambda cache, key: key in cache,
    "set": lambda cache, key: cache.__setitem__(key, 0),
    "delete": lambda cache, key: cache.__delitem__(key),
    "pop": lambda cache, key: cache.pop(key, 0),
    "setdefault": lambda cache, key: cache.setdefault(key, 0),
    "get_or_compute": lambda cache, key: cache.get_or_compute(key, lambda: 0),
}


@pytest.mark.parametrize("options", WAYS_TO_MAKE)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_eq_that_clears_the_cache_keeps_the_size_bound(operation, options):
    cache = SieveCache(3, **options)
    for number in range(3):
        cache[Tricky(number)] = number
    key = Tricky(1, on_eq=cache.clear)
    with contextlib.suppress(KeyError):
        operation(cache, key)
    key.on_eq = None
    assert len(cache) <= 3
    assert len(list(cache)) == len(cache)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_eq_that_fills_the_cache_keeps_the_size_bound(operation):
    cache = SieveCache(3)
    numbers = iter(range(10, 10**6))
    for number in range(3):
        cache[Tricky(number)] = number

    def fill() -> None:
        key.on_eq = None
        for _ in range(5):
            cache[Tricky(next(numbers))] = 0
            assert len(cache) <= 3
        key.on_eq = fill

    key = Tricky(1, on_eq=fill)
    with contextlib.suppress(KeyError):
        operation(cache, key)
    key.on_eq = None
    assert len(cache) <= 3


@pytest.mark.parametrize("where", ["on_eq", "on_hash"])
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_errors_of_hash_and_eq_leave_unchanged(operation, where):
    class Refuse(Exception):
        pass

    def refuse() -> None:
        raise Refuse

    cache = SieveCache(3)
    cache[Tricky(1)] = 1
    with pytest.raises(Refuse):
        operation(cache, Tricky(1, **{where: refuse}))
    assert list(cache.values()) == [1]


def test_unhashable_keys_are_refused():
    cache = SieveCache(3)
    for operation in OPERATIONS.values():
        with pytest.raises(TypeError, match="unhashable"):
            operation(cache, [])


def test_on_evict_may_change_the_cache_and_its_error_goes_to_the_unraisable_hook(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: seen.append(what.exc_type))
    cache: SieveCache[Any, Any]

    def evicted(key: Any, value: Any, cause: str) -> None:
        if cause == "size":
            cache.pop("b", None)
            raise ZeroDivisionError

    cache = SieveCache(2, on_evict=evicted)
    cache.update(a=1, b=2)
    cache["c"] = 3
    assert list(cache) == ["c"]
    assert seen == [ZeroDivisionError]


def test_a_finalizer_of_a_value_may_use_the_cache():
    cache: SieveCache[Any, Any] = SieveCache(2)
    sizes = []

    class Loud:
        def __del__(self) -> None:
            sizes.append(len(cache))
            cache.get(1)

    cache.update({1: Loud(), 2: Loud()})
    for number in range(3, 9):
        cache[number] = Loud()
    cache.clear()
    gc.collect()
    assert len(sizes) == 8
    assert max(sizes) <= 2
