"""Never run: each line that ends in ``# error`` must be an error to type checkers, and no other line may be one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from typing_extensions import Self

import tamis
from tamis import cache, cached_method, lru_cache


@lru_cache
def bare(a: int, b: str = "", *, c: bytes = b"") -> list[int]:
    return [a]


@lru_cache(maxsize=10)
def called(a: int, *rest: str) -> str:
    return ""


@cache
def cached(a: int) -> bytes:
    return b""


class Account:
    @lru_cache(maxsize=8)
    def balance(self, at: int) -> float:
        return 0.0

    @cached_method
    def own(self, at: int, *, deep: bool = False) -> float:
        return 0.0

    @classmethod
    @cache
    def of_class(cls, at: int) -> float:
        return 0.0

    @cached_method
    @classmethod
    def own_of_class(cls, at: int) -> float:
        return 0.0

    @staticmethod
    @cache
    def rate(year: int) -> float:
        return 0.0

    @cached_method
    @staticmethod
    def own_rate(year: int) -> float:
        return 0.0

    @property
    @cache
    def size(self) -> int:
        return 1

    @classmethod
    @cache
    def make(cls) -> Self:
        return cls()


account = Account()

# Bad decorations.
lru_cache(maxsize="x")  # error
lru_cache(maxsize=1.5)  # error
lru_cache(size=3)  # error
lru_cache(1, False, 3)  # error
lru_cache(3)("no function")  # error
lru_cache("no function")  # error
cache(3)  # error
cache(maxsize="x")  # error
cache(cached.__wrapped__, 3)  # error
cached_method(3)("no function")  # error
cached_method(size=3)  # error

# Bad options.
cache(ttl="60")  # error
cache(ttl=lambda result: "60")  # error
cache(tti=[60])  # error
cache(jitter="0.1")  # error
cache(key=3)  # error
cache(ignore=3)  # error
cache(ignore=[3])  # error
cache(weigher=3, maxweight=3)  # error
cache(maxweight="3")  # error
cache(on_evict=lambda key: None)  # error
cache(on_evict=lambda key, value, cause: cause + 1)  # error
cache(clock=3)  # error
cache(backend="disk")  # error
cache(name=3)  # error
cache(path=3)  # error
cache(max_bytes="64 MiB")  # error
cache(serializer=int)  # error
lru_cache(cached.__wrapped__, ttk=60)  # error
cached_method(maxsize=3, tll=60)  # error

# Bad calls.
bare()  # error
bare("1")  # error
bare(1, 2)  # error
bare(1, "b", b"c")  # error
bare(1, d=4)  # error
called(1, 2)  # error
called("1")  # error
cached()  # error
cached(b=1)  # error
account.balance()  # error
account.balance("1")  # error
account.balance(1, 2)  # error
account.balance(bt=1)  # error
account.balance(account, 1)  # error
Account.balance(1)  # error
Account.balance(account, "1")  # error
account.own("1")  # error
account.own(1, True)  # error
Account.own(1)  # error
Account.of_class()  # error
Account.of_class("1")  # error
Account.of_class(1, 2)  # error
Account.of_class(Account, 1)  # error
account.of_class("1")  # error
Account.own_of_class("1")  # error
Account.rate("2020")  # error
account.rate("2020")  # error
account.rate(1, 2)  # error
Account.own_rate("2020")  # error
account.size()  # error

# Results of another type.
number: int = bare(1)  # error
text: str = cached(1)  # error
whole: int = account.balance(1)  # error
whole = Account.of_class(1)  # error
whole = account.own(1)  # error
text = account.size  # error
text = Account.make()  # error

# Of the cache.
bare.cache_contains("1")  # error
bare.cache_invalidate()  # error
bare.cache_refresh(1, 2)  # error
bare.cache_put("no list", 1)  # error
bare.cache_put([1])  # error
bare.cache_clear(1)  # error
print(bare.cache_info().size)  # error
print(bare.cache_parameters()["size"])  # error
bare.no_such_method()  # error
account.balance.cache_contains("1")  # error
account.balance.cache_invalidate(account, 1)  # error
account.balance.cache_put("1", 1)  # error
account.balance.cache_refresh()  # error
account.balance.no_such_method()  # error
account.own.cache_contains(1, 2)  # error
account.own.cache_put("1", 1)  # error
account.own.cache_for(account)  # error
Account.own.cache_for(1)  # error
Account.own.cache_for(account).cache_contains("1")  # error
Account.balance.cache_for(account)  # error
Account.balance.cache_contains(1)  # error
Account.of_class.cache_contains("1")  # error
Account.rate.cache_put("1", 2020)  # error


@cache
async def fetched(url: str) -> bytes:
    return b""


fetched.cache_put("no bytes", "x")  # error
fetched(1)  # error
now: bytes = fetched("x")  # error


# Where another callable or class is asked for.
class Balances(Protocol):
    def balance(self, at: int) -> str: ...


class OfText(Protocol):
    def __call__(self, at: str, /) -> float: ...


def use(balances: Balances) -> None: ...
def use_text(function: OfText) -> None: ...


use(account)  # error
use_text(account.balance)  # error
use_text(cached)  # error
one: Callable[[str], float] = account.balance  # error
one = Account.of_class  # error
one = account.own  # error
two: Callable[[int], str] = cached  # error


class Savings(Account):
    @lru_cache(maxsize=8)
    def balance(self, at: int) -> str:  # error
        return ""

    @cached_method
    def own(self, at: str) -> float:  # error
        return 0.0


# Mappings.
mapping: tamis.SieveCache[int, str] = tamis.SieveCache(10)
mapping["1"] = "one"  # error
mapping[1] = 1  # error
whole = mapping[1]  # error
mapping.get_or_compute(1, lambda: 1)  # error
tamis.SieveCache()  # error
tamis.SieveCache(1, 60)  # error
tamis.SieveCache("1")  # error
tamis.SieveCache[int, str](1, stale=1)  # error
tamis.SieveCache[int, str](1, weigher=3)  # error
