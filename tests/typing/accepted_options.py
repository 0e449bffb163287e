"""What type checkers must accept of options."""

from __future__ import annotations

import json
import pickle
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamis import SieveCache, cache, cached_method, lru_cache

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:
    from helpers.typing_tools import assert_type


class Whole:
    """A number, as numpy has them."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


class Real:
    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value


# Sizes.
@lru_cache(maxsize=Whole(3))
def whole(number: int) -> int:
    return number


@lru_cache(Whole(3), True)
def whole_typed(number: int) -> int:
    return number


@cache(maxsize=Whole(3), typed=True)
def whole_cache(number: int) -> int:
    return number


@lru_cache(maxsize=None, weigher=len, maxweight=Whole(1000))
def weighed(number: int) -> str:
    return str(number)


@cache(weigher=lambda result: Whole(len(result)), maxweight=100)
def weighed_by_whole(number: int) -> str:
    return str(number)


@cache(weigher=lambda result: Fraction(2), maxweight=Fraction(9))
def weighed_by_fraction(number: int) -> str:
    return str(number)


# Times.
@cache(ttl=60)
def by_int(number: int) -> int:
    return number


@cache(ttl=0.5, stale=Real(5.0), jitter=Real(0.1))
def by_float(number: int) -> int:
    return number


@cache(ttl=timedelta(seconds=60), tti=timedelta(minutes=1), stale=timedelta(seconds=5), jitter=0)
def by_delta(number: int) -> int:
    return number


@cache(ttl=Whole(60), tti=Decimal("1.5"), jitter=Fraction(1, 2))
def by_numbers(number: int) -> int:
    return number


def lifetime(result: str) -> timedelta | None:
    return timedelta(seconds=len(result)) if result else None


@lru_cache(maxsize=3, ttl=lifetime)
def by_result(number: int) -> str:
    return str(number)


@cache(ttl=lambda result: Real(1.0), clock=time.monotonic)
def by_real(number: int) -> int:
    return number


@cache(ttl=lambda result: None, clock=lambda: 1)
def by_nothing(number: int) -> int:
    return number


# Keys.
def key_of(number: int, *rest: Any, **more: Any) -> tuple[int, int]:
    return number, len(rest)


@cache(key=key_of)
def keyed(number: int, log: object = None) -> int:
    return number


@cache(key=lambda *args, **kwargs: str(args))
def keyed_by_text(number: int) -> int:
    return number


@cache(ignore="log")
def without_one(number: int, log: object = None) -> int:
    return number


@cache(ignore=["log", "more"])
def without_some(number: int, log: object = None, more: object = None) -> int:
    return number


@cache(ignore=("log",), single_flight=True, copy=True)
def without_tuple(number: int, log: object = None) -> list[int]:
    return [number]


# Callbacks.
def left(key: Any, value: object, cause: str) -> None:
    print(key, value, cause, end="")


@cache(maxsize=3, on_evict=left, copy=list)
def told(number: int) -> list[int]:
    return [number]


@cache(on_evict=lambda key, value, cause: cause == "size", copy=False, single_flight=False)
def told_shortly(number: int) -> int:
    return number


# Shared.
folder = tempfile.TemporaryDirectory()


@lru_cache(backend="shared", name="types", path=folder.name, max_bytes=1 << 20, serializer=pickle)
def shared(number: int) -> list[str]:
    return ["a"]


@cache(maxsize=10, backend="shared", path=Path(folder.name), max_bytes=Fraction(1 << 20))
def shared_path(number: int) -> int:
    return number


class Json:
    def dumps(self, obj: Any) -> bytes:
        return json.dumps(obj).encode()

    def loads(self, content: bytes) -> Any:
        return json.loads(content)


@lru_cache(maxsize=8, backend="shared", path=Path(folder.name), name="json", serializer=Json(), max_bytes=1 << 20)
def shared_json(number: int) -> list[int]:
    return [number]


@cache(backend="memory")
def in_memory(number: int) -> int:
    return number


# None is what is not given.
@lru_cache(
    maxsize=3,
    ttl=None,
    tti=None,
    jitter=None,
    stale=None,
    key=None,
    ignore=None,
    single_flight=None,
    weigher=None,
    maxweight=None,
    on_evict=None,
    copy=None,
    clock=None,
    backend=None,
    name=None,
    path=None,
    max_bytes=None,
    serializer=None,
)
def nothing_given(number: int) -> int:
    return number


def configured(ttl: float | None, ignore: str | None, maxsize: int | None) -> Callable[[int], int]:
    @lru_cache(maxsize=maxsize, ttl=ttl, ignore=ignore)
    def function(number: int) -> int:
        return number

    return function


class Ledger:
    @cached_method(maxsize=Whole(3), ttl=timedelta(seconds=5), ignore=None, on_evict=left)
    def balance(self, at: int) -> float:
        return 1.0

    @cached_method(8, True, ttl=60, copy=None)
    def name(self) -> str:
        return ""


for function in (whole, whole_typed, whole_cache, by_int, by_float, by_delta, by_numbers, by_real, by_nothing):
    assert_type(function(1), int)
for function in (keyed, keyed_by_text, without_one, without_some, told_shortly, shared_path, in_memory, nothing_given):
    assert_type(function(1), int)
for text in (weighed, weighed_by_whole, weighed_by_fraction, by_result):
    assert_type(text(1), str)
assert_type(without_tuple(1), list[int])
assert_type(told(1), list[int])
assert_type(shared(1), list[str])
assert_type(shared_json(1), list[int])
assert_type(configured(None, None, None)(1), int)
assert_type(Ledger().balance(1), float)
assert_type(Ledger().name(), str)
assert_type(lru_cache(whole.__wrapped__, True, ttl=60)(1), int)
assert_type(cache(whole.__wrapped__, maxsize=2, ignore=None)(1), int)

# What was given.
assert_type(by_int.cache_parameters()["maxsize"], int | None)
assert_type(by_int.cache_parameters()["typed"], bool)
assert by_int.cache_parameters().get("ttl") == 60
assert_type(by_int.cache_stats()["evictions"], int)
assert_type(shared.cache_stats().get("recoveries"), int | None)
assert_type(shared.cache_stats().get("bytes"), int | None)

# Of a mapping.
mapping: SieveCache[int, str] = SieveCache(Whole(10), ttl=timedelta(seconds=60), weigher=len, maxweight=Whole(100))
mapping = SieveCache(10, ttl=None, weigher=None, maxweight=None, on_evict=None)
mapping = SieveCache(None, ttl=Real(1.5), on_evict=lambda key, value, cause: print(key + 1, value + cause, end=""))
mapping = SieveCache(10, ttl=lambda value: Decimal(len(value)))
mapping.clear()
folder.cleanup()
