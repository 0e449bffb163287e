"""What type checkers must accept of caches in classes that others derive from, or that stand for a Protocol."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sized
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from tamis import cache, cached_method, lru_cache

if TYPE_CHECKING:
    from typing_extensions import Self, assert_type
else:
    from helpers.typing_tools import Self, assert_type


class Fruit:
    pass


class Apple(Fruit):
    pass


# A cached method overrides a cached one.
class Garden:
    @cache
    def same(self, at: int) -> int:
        return at

    @cache
    def narrower(self) -> Fruit:
        return Fruit()

    @lru_cache(maxsize=None)
    def more_arguments(self, at: int) -> int:
        return at

    @cache
    def wider_argument(self, at: int) -> int:
        return at

    @classmethod
    @cache
    def of_class(cls, at: int) -> Fruit:
        return Fruit()

    @staticmethod
    @cache
    def alike(at: int) -> Fruit:
        return Fruit()

    @property
    @cache
    def size(self) -> int:
        return 1

    @classmethod
    @lru_cache
    def make(cls) -> Self:
        return cls()

    @cached_method
    def own(self, at: int) -> Fruit:
        return Fruit()

    @cached_method(maxsize=3)
    def own_called(self, at: int) -> int:
        return at

    @cached_method
    @classmethod
    def own_of_class(cls, at: int) -> Fruit:
        return Fruit()

    @cache
    async def later(self, at: int) -> Fruit:
        return Fruit()

    @cached_method
    async def own_later(self, at: int) -> Fruit:
        return Fruit()


class Orchard(Garden):
    @cache
    def same(self, at: int) -> int:
        return super().same(at) + 1

    @cache
    def narrower(self) -> Apple:
        assert_type(super().narrower(), Fruit)
        return Apple()

    @lru_cache(maxsize=3)
    def more_arguments(self, at: int, by: int = 1, *, deep: bool = False) -> int:
        return super().more_arguments(at=at)

    @cache
    def wider_argument(self, at: int | str) -> int:
        return 1

    @classmethod
    @cache
    def of_class(cls, at: int) -> Apple:
        assert_type(super().of_class(at), Fruit)
        return Apple()

    @staticmethod
    @cache
    def alike(at: int) -> Apple:
        return Apple()

    @property
    @cache
    def size(self) -> int:
        return super().size + 1

    @classmethod
    @lru_cache
    def make(cls) -> Self:
        return super().make()

    @cached_method
    def own(self, at: int) -> Apple:
        super().own.cache_clear()
        assert_type(super().own(at), Fruit)
        return Apple()

    @cached_method(maxsize=5)
    def own_called(self, at: int, by: int = 1) -> int:
        return super().own_called(at)

    @cached_method
    @classmethod
    def own_of_class(cls, at: int) -> Apple:
        return Apple()

    @cache
    async def later(self, at: int) -> Apple:
        return Apple()

    @cached_method
    async def own_later(self, at: int) -> Apple:
        return Apple()


orchard = Orchard()
assert_type(orchard.same(1), int)
assert_type(orchard.narrower(), Apple)
assert_type(orchard.more_arguments(1, 2, deep=True), int)
assert_type(orchard.wider_argument("a"), int)
assert_type(Orchard.of_class(1), Apple)
assert_type(Orchard.alike(1), Apple)
assert_type(orchard.size, int)
assert_type(Orchard.make(), Orchard)
assert_type(orchard.own(1), Apple)
assert_type(orchard.own_called(1, by=2), int)
assert_type(Orchard.own_of_class(1), Apple)
for garden in (Garden(), orchard):
    assert_type(garden.same(1), int)
    fruit: Fruit = garden.narrower()


# Abstract ones.
class Store(ABC):
    @abstractmethod
    @cache
    def read(self, at: int) -> str: ...

    @property
    @abstractmethod
    def place(self) -> str: ...

    @classmethod
    @abstractmethod
    @lru_cache(maxsize=None)
    def kinds(cls, at: int) -> list[str]: ...

    @abstractmethod
    @cached_method
    def own(self, at: int) -> str: ...

    @cache
    def both(self) -> str:
        return self.read(1) + self.place


class Shop(Store):
    @cache
    def read(self, at: int) -> str:
        return str(at)

    @property
    @cache
    def place(self) -> str:
        return "a"

    @classmethod
    @lru_cache(maxsize=None)
    def kinds(cls, at: int) -> list[str]:
        return [cls.__name__]

    @cached_method
    def own(self, at: int) -> str:
        return str(at)


assert_type(Shop().read(1), str)
assert_type(Shop().place, str)
assert_type(Shop.kinds(1), list[str])
assert_type(Shop().own(1), str)
assert_type(Shop().both(), str)


# For a Protocol.
class Reads(Protocol):
    def read(self, at: int) -> str: ...


class OwnReads(Protocol):
    def own(self, at: int) -> str: ...


class Clears(Protocol):
    def cache_clear(self) -> None: ...


class CallsAndClears(Protocol):
    def __call__(self, at: int, /) -> str: ...
    def cache_clear(self) -> None: ...


class HasPlace(Protocol):
    @property
    def place(self) -> str: ...


class Kinds(Protocol):
    def kinds(self, at: int) -> list[str]: ...


class Named(Protocol):
    __name__: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...


def use_all(
    reads: Reads, own: OwnReads, clears: Clears, both: CallsAndClears, place: HasPlace, kinds: Kinds, named: Named
) -> str:
    clears.cache_clear()
    both.cache_clear()
    kinds.kinds(1)
    return reads.read(1) + own.own(1) + both(1) + place.place + named.__name__


@cache
def text(at: int) -> str:
    return str(at)


shop = Shop()
use_all(shop, shop, text, text, shop, shop, text)
use_all(shop, shop, shop.read, shop.read, shop, shop, shop.read)
use_all(shop, shop, shop.own, shop.own, shop, shop, shop.own)


class Counted:
    @cache
    def __len__(self) -> int:
        return 1

    @cached_method
    def __contains__(self, item: object) -> bool:
        return True

    def __iter__(self) -> Iterator[int]:
        return iter([1])


sized: Sized = Counted()
assert_type(len(Counted()), int)
assert_type(1 in Counted(), bool)


# Members of an Enum.
class Colour(Enum):
    RED = 1
    BLUE = 2

    @lru_cache(maxsize=None)
    def title(self, times: int = 1) -> str:
        return self.name * times

    @cached_method
    def own(self, times: int) -> str:
        return self.name * times

    @classmethod
    @cache
    def first(cls) -> Colour:
        return cls.RED

    @staticmethod
    @cache
    def count(times: int) -> int:
        return times

    @property
    @cache
    def short(self) -> str:
        return self.name[:1]


class Size(IntEnum):
    SMALL = 1

    @cache
    def title(self) -> str:
        return self.name


assert_type(Colour.RED.title(), str)
assert_type(Colour.RED.title(times=2), str)
assert_type(Colour.RED.own(2), str)
assert_type(Colour.title(Colour.BLUE, 2), str)
assert_type(Colour.first(), Colour)
assert_type(Colour.RED.count(2), int)
assert_type(Colour.BLUE.short, str)
assert_type(Size.SMALL.title(), str)
assert_type([colour.title() for colour in Colour], list[str])
Colour.RED.title.cache_clear()
Colour.RED.own.cache_clear()
