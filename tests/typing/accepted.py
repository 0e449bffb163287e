"""Never run: what type checkers must accept, and the types that they must find."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from typing_extensions import assert_type

import tamis
from tamis import CacheInfo, cache, cached_method, lru_cache


@lru_cache
def bare(a: int, b: str = "", *, c: bytes = b"") -> list[int]:
    return [a]


@lru_cache(maxsize=10, typed=True)
def called(a: int, *rest: str, **more: float) -> str | None:
    return None


@lru_cache(32)
def by_position(a: int) -> float:
    return a


@lru_cache()
def empty_call(a: int) -> float:
    return a


@lru_cache(maxsize=None)
def unbounded(a: int) -> float:
    return a


@cache
def bare_cache(a: int, b: str = "") -> list[str]:
    return [b]


@cache()
def called_cache(a: int) -> bytes:
    return b""


@cache(maxsize=3, typed=True)
def bounded_cache(a: int) -> bytes:
    return b""


@cache(ttl=timedelta(seconds=60), jitter=0.1, stale=5, on_evict=lambda key, value, cause: None)
def with_options(a: int, b: str = "") -> list[int]:
    return [a]


@lru_cache(backend="shared", name="a", path=Path("/dev/shm"), max_bytes=1 << 20, serializer=pickle, single_flight=True)
def shared(a: int) -> list[str]:
    return []


assert_type(shared(1), list[str])
assert_type(shared.cache_stats().get("recoveries"), int | None)


@lru_cache(ttl=None, key=None, on_evict=None, copy=None, backend=None, max_bytes=None, single_flight=None)
def with_nothing_set(a: int) -> list[int]:
    return [a]


@cache(
    ttl=Fraction(1, 2),
    tti=Decimal(3),
    jitter=Fraction(1, 10),
    weigher=lambda result: Fraction(2),
    maxweight=Fraction(9),
)
def with_other_numbers(a: int) -> list[int]:
    return [a]


@lru_cache(maxsize=None, ttl=lambda result: None, tti=3, weigher=len, maxweight=1000, ignore=["b"], copy=True)
def with_more_options(a: int, b: str = "") -> list[int]:
    return [a]


class Ledger:
    @cached_method
    def balance(self, at: int, *, exact: bool = False) -> float:
        return 0.0

    @cached_method(maxsize=3, ttl=5)
    def name(self) -> str:
        return ""


assert_type(Ledger().balance(1, exact=True), float)
assert_type(Ledger().name(), str)
assert_type(Ledger.balance.cache_for(Ledger()).cache_contains(1), bool)
assert_type(with_options(1, b="b"), list[int])
assert_type(with_more_options(1), list[int])
assert_type(with_options.cache_stats()["evictions"], int)
assert_type(bare(1), list[int])
assert_type(bare(1, "b", c=b"c"), list[int])
assert_type(bare(a=1, b="b"), list[int])
assert_type(called(1, "x", "y", z=1.0), str | None)
assert_type(by_position(1), float)
assert_type(empty_call(1), float)
assert_type(unbounded(a=1), float)
assert_type(bare_cache(1, b="b"), list[str])
assert_type(called_cache(1), bytes)
assert_type(bounded_cache(a=1), bytes)
assert_type(lru_cache(len)([]), int)
assert_type(lru_cache(bare.__wrapped__, True)(1), list[int])
assert_type(cache(bare.__wrapped__, maxsize=2)(1), list[int])
assert_type(tamis.lru_cache(maxsize=4)(str.upper)("x"), str)

# Of the cache.
info = bare.cache_info()
assert_type(info, CacheInfo)
assert_type(info.hits, int)
assert_type(info.misses, int)
assert_type(info.maxsize, int | None)
assert_type(info.currsize, int)
hits, misses, maxsize, currsize = info
assert_type(maxsize, int | None)
assert_type(bare.cache_parameters()["maxsize"], int | None)
assert_type(bare.cache_parameters()["typed"], bool)
assert_type(bare.cache_contains(1, "b", c=b"c"), bool)
assert_type(bare.cache_invalidate(1, b="b"), bool)
assert_type(bare.cache_refresh(1), list[int])
bare.cache_put([1], 1, "b", c=b"c")
called.cache_put(None, 1, "x", z=1.0)
bare.cache_clear()
assert_type(bare.__name__, str)
assert_type(bare.__qualname__, str)
assert_type(bare.__wrapped__(1, c=b""), list[int])
assert_type(tamis.__version__, str)


# As a method.
class Account:
    @lru_cache
    def balance(self, at: int, *, rounded: bool = False) -> float:
        return 0.0

    @lru_cache(maxsize=8)
    def owner(self) -> str:
        return ""

    @staticmethod
    @cache
    def rate(year: int) -> float:
        return 0.0


account = Account()
assert_type(account.balance(1), float)
assert_type(account.balance(1, rounded=True), float)
assert_type(account.balance(at=1), float)
assert_type(Account.balance(account, 1, rounded=True), float)
assert_type(account.owner(), str)
assert_type(Account.owner(account), str)
assert_type(Account.rate(2020), float)
assert_type(Account.rate(year=2020), float)
assert_type(Account.balance.cache_info(), CacheInfo)
assert_type(account.balance.cache_info(), CacheInfo)
assert_type(Account.balance.cache_contains(account, 1), bool)
assert_type(account.owner.cache_parameters()["maxsize"], int | None)
account.balance.cache_clear()


# Where a callable is asked for.
def apply(function: Callable[[int], float]) -> float:
    return function(1)


@cache
def added(a: int, b: int) -> int:
    return a + b


assert_type(apply(by_position), float)
assert_type(apply(account.balance), float)
assert_type(list(map(by_position, [1, 2])), list[float])
assert_type(functools.reduce(added, [1, 2]), int)


# Of a coroutine function.
@cache(ttl=60)
async def fetched(url: str, *, retries: int = 1) -> bytes:
    return b""


class Client:
    @cached_method
    async def get(self, path: str) -> bytes:
        return b""


async def use() -> None:
    assert_type(await fetched("x", retries=2), bytes)
    assert_type(await fetched.cache_refresh("x"), bytes)
    assert_type(await Client().get("/"), bytes)


fetched.cache_put(b"", "x", retries=2)
assert_type(fetched.cache_contains("x"), bool)


def use_mapping() -> None:
    mapping: tamis.SieveCache[int, str] = tamis.SieveCache(10, ttl=60, weigher=len, maxweight=100)
    mapping[1] = "one"
    assert_type(mapping[1], str)
    assert_type(mapping.get(1), str | None)
    assert_type(mapping.get(1, default="two"), str)
    assert_type(mapping.get(1, 2), str | int)
    assert_type(mapping.setdefault(1, "two"), str)
    assert_type(mapping.get_or_compute(1, lambda: "three"), str)
    assert_type(mapping.pop(1), str)
    assert_type(mapping.popitem(), tuple[int, str])
    assert_type(mapping.copy(), tamis.SieveCache[int, str])
    assert_type(mapping.info(), CacheInfo)
    assert_type(mapping.maxsize, int | None)
    assert_type(mapping.stats()["evictions"], int)
    for key, value in mapping.items():
        assert_type(key, int)
        assert_type(value, str)
    mapping.update({2: "two"})
    mapping.update([(3, "three")])
    named = tamis.SieveCache[str, int](maxsize=None, on_evict=lambda key, value, cause: print(key + cause, value + 1))
    named.update(a=1)
