"""What type checkers must accept of caches in classes, and the types that they must find there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tamis import CacheInfo, cache, lru_cache

if TYPE_CHECKING:
    from typing_extensions import Self, assert_type
else:
    from helpers.typing_tools import Self, assert_type


class Shelf:
    def __init__(self, places: int = 3) -> None:
        self.places = places

    @cache
    def bare(self, at: int) -> str:
        return str(at)

    @lru_cache(maxsize=None)
    def called(self, at: int, *rest: str, deep: bool = False, **more: float) -> list[str]:
        return [str(at), *rest]

    @lru_cache(4, True)
    def alone(self) -> float:
        return 1.0

    @lru_cache
    def odd_name(this, at: int) -> str:
        return str(at)

    @cache
    def by_position(self, at: int, /) -> str:
        return str(at)

    @classmethod
    @cache
    def of_class(cls, at: int) -> str:
        return cls.__name__ * at

    @classmethod
    @lru_cache(maxsize=8)
    def of_class_called(cls, at: int = 1, *, deep: bool = False) -> str:
        return cls.__name__ * at

    @classmethod
    @cache
    def of_class_by_position(cls, at: int, /) -> str:
        return cls.__name__ * at

    @classmethod
    @cache
    def of_class_hidden(__cls, at: int) -> str:
        return __cls.__name__ * at

    @classmethod
    @cache
    def make(cls) -> Self:
        return cls()

    @classmethod
    @cache
    def make_with(cls, places: int) -> Self:
        return cls(places)

    @classmethod
    @cache
    def make_one(cls, places: int) -> Shelf:
        return Shelf(places)

    @staticmethod
    @cache
    def alike(at: int) -> str:
        return str(at)

    @staticmethod
    @lru_cache(maxsize=2)
    def nothing() -> bytes:
        return b""

    @staticmethod
    @cache
    def of_kind(kind: type[Shelf]) -> str:
        return kind.__name__

    @staticmethod
    @cache
    def of_other_kind(kind: type[str]) -> str:
        return kind.__name__

    @staticmethod
    @cache
    def of_shelf(shelf: Shelf) -> int:
        return shelf.places

    @staticmethod
    @cache
    def of_anything(value: Any, times: int = 1) -> int:
        return times

    @staticmethod
    @cache
    def of_object(value: object, times: int = 1) -> int:
        return times

    @property
    @cache
    def size(self) -> int:
        return 1

    @property
    @lru_cache(maxsize=1)
    def names(self) -> list[str]:
        return ["a"]

    @cache
    def __len__(self) -> int:
        return self.places

    @cache
    def __getitem__(self, at: int) -> str:
        return str(at)

    @lru_cache
    def __call__(self, at: int) -> str:
        return str(at)

    @lru_cache
    def me(self) -> Self:
        return self

    @cache
    def with_places(self, places: int) -> Self:
        return type(self)(places)

    @cache
    def and_more(self) -> list[Self]:
        return [self]

    def inside(self) -> None:
        assert_type(self.bare(1), str)
        assert_type(self.of_class(1), str)
        assert_type(self.alike(1), str)
        assert_type(self.size, int)
        self.bare.cache_clear()
        self.of_class.cache_clear()
        self.alike.cache_clear()
        type(self).bare.cache_clear()
        assert_type(type(self).of_class(1), str)
        assert_type(Shelf.bare(self, 1), str)

    def again(self) -> Self:
        assert_type(self.make(), Self)
        return self.me()

    def wider(self) -> Self:
        return self.with_places(self.places + 1)

    @classmethod
    def inside_class(cls) -> Self:
        assert_type(cls.of_class(1), str)
        assert_type(cls.alike(1), str)
        assert_type(cls.bare(cls(), 1), str)
        assert_type(cls.make_with(3), Self)
        cls.of_class.cache_clear()
        cls.make.cache_clear()
        return cls.make()


class Deep(Shelf):
    pass


shelf = Shelf()
deep = Deep()
shelf.inside()
deep.wider()
assert_type(shelf.again(), Shelf)
assert_type(Deep.inside_class(), Deep)

# On an instance.
assert_type(shelf.bare(1), str)
assert_type(shelf.bare(at=1), str)
assert_type(shelf.called(1, "a", "b", deep=True, more=1.0), list[str])
assert_type(shelf.alone(), float)
assert_type(shelf.odd_name(1), str)
assert_type(shelf.odd_name(at=1), str)
assert_type(shelf.by_position(1), str)
assert_type(deep.bare(1), str)

# By the class.
assert_type(Shelf.bare(shelf, 1), str)
assert_type(Shelf.bare(self=shelf, at=1), str)
assert_type(Shelf.bare(deep, at=1), str)
assert_type(Deep.bare(deep, 1), str)
assert_type(Shelf.called(shelf, 1, "a", deep=True), list[str])
assert_type(Shelf.alone(shelf), float)
assert_type(Shelf.odd_name(shelf, 1), str)
assert_type(Shelf.by_position(shelf, 1), str)

# Class methods.
for kind in (Shelf, Deep):
    assert_type(kind.of_class(1), str)
    assert_type(kind().of_class(at=1), str)
assert_type(Shelf.of_class(1), str)
assert_type(Shelf.of_class_called(), str)
assert_type(Shelf.of_class_called(1, deep=True), str)
assert_type(shelf.of_class_called(at=1), str)
assert_type(Shelf.of_class_by_position(1), str)
assert_type(shelf.of_class_by_position(1), str)
assert_type(Shelf.of_class_hidden(1), str)
assert_type(shelf.of_class_hidden(1), str)
assert_type(Shelf.make_one(1), Shelf)
assert_type(Deep.make_one(1), Shelf)

# The class itself.
assert_type(Shelf.make(), Shelf)
assert_type(Deep.make(), Deep)
assert_type(deep.make(), Deep)
assert_type(Deep.make_with(3), Deep)
assert_type(deep.make_with(places=3), Deep)
assert_type(shelf.me(), Shelf)
assert_type(deep.me(), Deep)
assert_type(deep.with_places(3), Deep)
assert_type(deep.with_places(places=3).with_places(2), Deep)
more: list[Deep] = deep.and_more()

# Static methods.
assert_type(Shelf.alike(1), str)
assert_type(shelf.alike(at=1), str)
assert_type(Shelf.nothing(), bytes)
assert_type(shelf.nothing(), bytes)
assert_type(Shelf.of_kind(Deep), str)
assert_type(shelf.of_kind(Shelf), str)
assert_type(Deep.of_kind(Deep), str)
assert_type(Shelf.of_other_kind(str), str)
assert_type(shelf.of_other_kind(str), str)
assert_type(Shelf.of_shelf(shelf), int)
assert_type(shelf.of_shelf(shelf), int)
assert_type(deep.of_shelf(deep), int)
assert_type(Shelf.of_anything(1), int)
assert_type(shelf.of_anything(1), int)
assert_type(shelf.of_anything("a", times=2), int)
assert_type(Shelf.of_object(1, 2), int)
assert_type(shelf.of_object("a"), int)
assert_type(shelf.of_object("a", times=2), int)

# Properties and what Python calls by itself.
assert_type(shelf.size, int)
assert_type(deep.names, list[str])
assert_type(len(shelf), int)
assert_type(shelf[1], str)
assert_type(shelf(1), str)

# Of the cache.
assert_type(Shelf.bare.cache_info(), CacheInfo)
assert_type(shelf.bare.cache_info(), CacheInfo)
assert_type(Shelf.of_class.cache_info().hits, int)
assert_type(shelf.of_class.cache_info().currsize, int)
assert_type(Shelf.alike.cache_info(), CacheInfo)
assert_type(shelf.alike.cache_info(), CacheInfo)
assert_type(shelf.alone.cache_parameters()["maxsize"], int | None)
assert_type(shelf.bare.cache_stats()["evictions"], int)
for cleared in (Shelf.bare, shelf.bare, Shelf.of_class, shelf.of_class, Shelf.alike, shelf.alike, shelf.odd_name):
    cleared.cache_clear()
assert_type(Shelf.bare.__wrapped__(shelf, 1), str)
assert_type(shelf.bare.__wrapped__(shelf, 1), str)
assert_type(Shelf.alike.__wrapped__(1), str)
assert_type(Shelf.of_class.__wrapped__(Shelf, 1), str)
assert_type(shelf.bare.__name__, str)
assert_type(Shelf.of_class.__qualname__, str)

# Of the call that the attribute stands for.
assert_type(shelf.bare.cache_contains(1), bool)
assert_type(shelf.bare.cache_invalidate(at=1), bool)
assert_type(shelf.bare.cache_refresh(1), str)
shelf.bare.cache_put("one", 1)
assert_type(Shelf.bare.cache_contains(shelf, 1), bool)
assert_type(Shelf.bare.cache_invalidate(shelf, at=1), bool)
assert_type(Shelf.bare.cache_refresh(shelf, 1), str)
Shelf.bare.cache_put("one", shelf, 1)
assert_type(shelf.called.cache_contains(1, "a", deep=True), bool)
assert_type(shelf.odd_name.cache_contains(1), bool)
assert_type(Shelf.alike.cache_contains(1), bool)
assert_type(shelf.alike.cache_invalidate(at=1), bool)
Shelf.alike.cache_put("one", 1)
assert_type(shelf.bare.__self__, Shelf)

# Where a callable is asked for.
one: Callable[[int], str] = shelf.bare
one = Shelf.of_class
one = shelf.of_class
one = Shelf.alike
one = shelf.alike
two: Callable[[Shelf, int], str] = Shelf.bare
none: Callable[[], str] = Shelf.of_class_called
assert_type(list(map(shelf.bare, [1, 2])), list[str])
assert_type(list(map(Shelf.of_class, [1, 2])), list[str])
assert_type(list(map(Shelf.alike, [1, 2])), list[str])
assert_type(sorted([1, 2], key=shelf.bare), list[int])


# Called by the one that they get.
class Registry:
    def __init__(self) -> None:
        self.find = cache(self.look)
        self.count: Callable[[str], int] = lru_cache(maxsize=3)(len)

    def look(self, name: str) -> int:
        return len(name)


registry = Registry()
assert_type(registry.find("a"), int)
assert_type(registry.count("a"), int)
registry.find.cache_clear()


class Kind(type):
    @cache
    def title(cls, times: int) -> str:
        return cls.__name__ * times


class WithKind(metaclass=Kind):
    pass


assert_type(WithKind.title(1), str)
assert_type(Kind.title(WithKind, 1), str)
WithKind.title.cache_clear()
