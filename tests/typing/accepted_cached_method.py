"""What type checkers must accept of methods with a cache for each instance, and the types that they must find."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tamis import CacheInfo, cached_method

if TYPE_CHECKING:
    from typing_extensions import Self, assert_type
else:
    from helpers.typing_tools import Self, assert_type


class Ledger:
    def __init__(self, rate: float = 1.0) -> None:
        self.rate = rate

    @cached_method
    def balance(self, at: int, *, exact: bool = False) -> float:
        return at * self.rate

    @cached_method(maxsize=3, ttl=5)
    def name(self) -> str:
        return "a"

    @cached_method()
    def everything(self, *args: int, **kwargs: str) -> list[int]:
        return list(args)

    @cached_method
    def odd_name(this, at: int) -> str:
        return str(at)

    @cached_method
    def by_position(self, at: int, /) -> str:
        return str(at)

    @cached_method
    def loose(self, at: Any) -> int:
        return 1

    @cached_method
    def me(self) -> Self:
        return self

    @cached_method(maxsize=None)
    def with_rate(self, rate: float) -> Self:
        return type(self)(rate)

    # Above and below, as with functools' own and with others.
    @cached_method
    @classmethod
    def below(cls, at: int) -> str:
        return cls.__name__ * at

    @cached_method(maxsize=2)
    @classmethod
    def below_called(cls, at: int = 1, *, deep: bool = False) -> str:
        return cls.__name__ * at

    @classmethod
    @cached_method
    def above(cls, at: int) -> str:
        return cls.__name__ * at

    @classmethod
    @cached_method
    def make(cls) -> Self:
        return cls()

    @cached_method
    @classmethod
    def make_below(cls, rate: float) -> Self:
        return cls(rate)

    @cached_method
    @staticmethod
    def alike(at: int) -> str:
        return str(at)

    @cached_method(maxsize=2)
    @staticmethod
    def of_ledger(ledger: Ledger, at: int = 1) -> str:
        return str(at)

    @property
    @cached_method
    def size(self) -> int:
        return 1

    @cached_method
    async def fetched(self, at: int) -> bytes:
        return b""

    @cached_method
    @classmethod
    async def fetched_by_class(cls, at: int) -> bytes:
        return b""

    def inside(self) -> Self:
        assert_type(self.balance(1), float)
        assert_type(self.below(1), str)
        assert_type(self.alike(1), str)
        self.balance.cache_clear()
        return self.me()

    @classmethod
    def inside_class(cls) -> Self:
        assert_type(cls.above(1), str)
        cls.below.cache_clear()
        return cls.make()


class Big(Ledger):
    pass


ledger = Ledger()
big = Big()

# Calls.
assert_type(ledger.balance(1, exact=True), float)
assert_type(ledger.balance(at=1), float)
assert_type(Ledger.balance(ledger, 1, exact=True), float)
assert_type(Ledger.balance(big, at=1), float)
assert_type(ledger.name(), str)
assert_type(Ledger.name(ledger), str)
assert_type(ledger.everything(1, 2, a="b"), list[int])
assert_type(ledger.odd_name(1), str)
assert_type(ledger.by_position(1), str)
assert_type(ledger.loose("a"), int)
assert_type(Ledger.loose(ledger, "a"), int)
assert_type(ledger.inside(), Ledger)
assert_type(Big.inside_class(), Big)
assert_type(big.me(), Big)
assert_type(big.with_rate(2.0), Big)
assert_type(ledger.size, int)
for kind in (ledger, Ledger):
    assert_type(kind.below(1), str)
    assert_type(kind.below_called(deep=True), str)
    assert_type(kind.above(at=1), str)
    assert_type(kind.alike(1), str)
    assert_type(kind.of_ledger(ledger, at=2), str)
assert_type(Ledger.make(), Ledger)
assert_type(Big.make(), Big)
assert_type(Big.make_below(2.0), Big)
assert_type(big.make_below(rate=2.0), Big)

# The cache of one instance.
assert_type(ledger.balance.cache_info(), CacheInfo)
assert_type(ledger.balance.cache_info().maxsize, int | None)
assert_type(ledger.balance.cache_parameters()["maxsize"], int | None)
assert_type(ledger.balance.cache_stats()["hits"], int)
assert_type(ledger.balance.cache_contains(1, exact=True), bool)
assert_type(ledger.balance.cache_invalidate(at=1), bool)
assert_type(ledger.balance.cache_refresh(1), float)
ledger.balance.cache_put(1.0, 1, exact=True)
ledger.balance.cache_clear()
ledger.name.cache_put("b")
assert_type(ledger.name.cache_contains(), bool)
assert_type(ledger.balance.__self__, Ledger)
assert_type(ledger.balance.__name__, str)
assert_type(ledger.balance.__wrapped__(ledger, 1), float)
assert_type(Ledger.balance.__wrapped__(ledger, 1), float)
assert_type(Ledger.balance.__qualname__, str)

of_one = Ledger.balance.cache_for(ledger)
assert_type(of_one(1, exact=True), float)
assert_type(of_one.cache_contains(1), bool)
assert_type(of_one.cache_info(), CacheInfo)
of_one.cache_put(1.0, at=1)
of_one.cache_clear()
assert_type(Ledger.balance.cache_for(big).cache_contains(1), bool)
assert_type(Ledger.name.cache_for(ledger).cache_invalidate(), bool)
assert_type(Ledger.odd_name.cache_for(ledger).cache_contains(1), bool)
assert_type(Ledger.loose.cache_for(ledger).cache_info(), CacheInfo)

# Class and static methods.
assert_type(Ledger.below.cache_info(), CacheInfo)
assert_type(Ledger.below.cache_contains(1), bool)
Ledger.below.cache_clear()
assert_type(Ledger.alike.cache_info(), CacheInfo)
assert_type(ledger.alike.cache_contains(1), bool)
Ledger.alike.cache_put("a", 1)

# Where a callable is asked for.
one: Callable[[int], float] = ledger.balance
two: Callable[[Ledger, int], float] = Ledger.balance
one_name: Callable[[int], str] = Ledger.below
one_name = Ledger.alike
assert_type(list(map(ledger.balance, [1, 2])), list[float])
assert_type(list(map(Ledger.alike, [1, 2])), list[str])


async def later() -> None:
    assert_type(await ledger.fetched(1), bytes)
    assert_type(await Ledger.fetched(ledger, at=1), bytes)
    assert_type(await ledger.fetched.cache_refresh(1), bytes)
    assert_type(await Ledger.fetched_by_class(1), bytes)
    ledger.fetched.cache_put(b"", 1)
    Ledger.fetched.cache_for(ledger).cache_put(b"", 1)


asyncio.run(later())


# By hand.
def area(self: Ledger, by: float) -> float:
    return by * self.rate


class ByHand(Ledger):
    area = cached_method(area)
    area_called = cached_method(maxsize=3)(area)


assert_type(ByHand().area(2.0), float)
assert_type(ByHand().area_called(by=2.0), float)
ByHand().area.cache_clear()
