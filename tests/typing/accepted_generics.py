"""What type checkers must accept of caches and generics, and the types that they must find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from tamis import cache, cached_method, lru_cache

if TYPE_CHECKING:
    from typing_extensions import Self, assert_type
else:
    from helpers.typing_tools import Self, assert_type

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R")
P = ParamSpec("P")
AnyStr = TypeVar("AnyStr", str, bytes)
BoxT = TypeVar("BoxT", bound="Box[Any]")


# Functions.
@cache
def same(value: T) -> T:
    return value


@lru_cache(maxsize=None)
def first(values: Sequence[T], default: T | None = None) -> T:
    return values[0]


@cache
def pair(key: K, value: V) -> tuple[K, V]:
    return key, value


@lru_cache
def joined(one: AnyStr, other: AnyStr) -> AnyStr:
    return one + other


@cache
def instance(kind: type[T]) -> T:
    return kind()


@cache(ttl=60)
def result_of(function: Callable[[], T]) -> T:
    return function()


number = 1
word = "a"
assert_type(same(number), int)
assert_type(same(value=word), str)
assert_type(first(tuple(map(int, word.encode()))), int)
assert_type(first(word, default="b"), str)
assert_type(pair(number, word), tuple[int, str])
assert_type(joined(word, "b"), str)
assert_type(joined(b"a", b"b"), bytes)
assert_type(instance(list), list[Any])
assert_type(instance(int), int)
assert_type(result_of(lambda: number), int)
assert_type(same.cache_refresh(number), int)
assert_type(same.cache_contains(number), bool)
assert_type(first.cache_invalidate((number,)), bool)
assert_type(instance.cache_contains(int), bool)
same.cache_put(number, number)
first.cache_put(number, (number,))
same.cache_clear()
one: Callable[[int], int] = same
text: Callable[[str], str] = same
assert_type(list(map(same, [number])), list[int])


# A generic class.
class Box(Generic[T]):
    def __init__(self, value: T) -> None:
        self.value = value

    @cache
    def get(self) -> T:
        return self.value

    @lru_cache(maxsize=4)
    def replaced(self, value: T, *, deep: bool = False) -> T:
        return value

    @cached_method
    def own(self, value: T) -> T:
        return value

    @cached_method(maxsize=3)
    def all(self, *values: T) -> list[T]:
        return [self.value, *values]

    @cache
    def other(self, box: Box[T]) -> Box[T]:
        return box

    @cache
    def me(self) -> Self:
        return self

    @cached_method
    def my_own(self) -> Self:
        return self

    @cache
    def like(self, box: Self) -> Self:
        return box

    @cache
    def old_style(self: BoxT) -> BoxT:
        return self

    @classmethod
    @cache
    def make(cls, value: T) -> Box[T]:
        return Box(value)

    @classmethod
    @cache
    def make_own(cls, value: T) -> Self:
        return cls(value)

    @staticmethod
    @cache
    def boxed(value: V) -> V:
        return value

    @staticmethod
    @cache
    def made(kind: type[V]) -> V:
        return kind()

    @property
    @cache
    def inside(self) -> T:
        return self.value

    @cache
    def found(self, kind: type[V], default: int = 0) -> V:
        return kind()

    @cached_method
    def converted(self, function: Callable[[T], V]) -> V:
        return function(self.value)

    @cache
    def chosen(self, values: Sequence[V]) -> V:
        return values[0]

    @cache
    def listed(self, value: V) -> list[V]:
        return [value]

    @cache
    def counted(self, values: tuple[V, ...]) -> int:
        return len(values)

    @classmethod
    @cache
    def loaded(cls, kind: type[V]) -> V:
        return kind()


class IntBox(Box[int]):
    pass


class PairBox(Box[tuple[K, V]]):
    @cache
    def key(self) -> K:
        return self.value[0]

    @cached_method
    def value_of(self, key: K) -> V:
        return self.value[1]


box = Box(number)
assert_type(box.get(), int)
assert_type(box.replaced(1, deep=True), int)
assert_type(box.own(1), int)
assert_type(box.all(1, 2), list[int])
assert_type(box.other(box), Box[int])
assert_type(box.me(), Box[int])
assert_type(box.my_own(), Box[int])
assert_type(box.like(box), Box[int])
assert_type(box.old_style(), Box[int])
assert_type(box.inside, int)
assert_type(box.me().me().get(), int)
assert_type(Box[int].get(box), int)
assert_type(Box[int].make(1), Box[int])
assert_type(IntBox.make(1), Box[int])
assert_type(IntBox.make_own(1), IntBox)
assert_type(IntBox(1).get(), int)
assert_type(IntBox(1).me(), IntBox)
assert_type(IntBox(1).my_own(), IntBox)
assert_type(IntBox(1).old_style(), IntBox)
assert_type(IntBox(1).inside, int)
assert_type(IntBox.get(IntBox(1)), int)
assert_type(PairBox((number, word)).key(), int)
assert_type(PairBox((number, word)).value_of(1), str)
assert_type(PairBox((number, word)).get(), tuple[int, str])
assert_type(box.get.cache_contains(), bool)
assert_type(box.own.cache_invalidate(1), bool)
assert_type(Box[int].own.cache_for(box).cache_contains(1), bool)
box.own.cache_put(1, 1)
box.me.cache_clear()
kept: int = box.found(int)
kept = box.converted(abs)
kept = box.chosen((1, 2))
kept = box.counted((1, 2))
kept = box.loaded(int)
kept = IntBox.loaded(int)
kept = box.made(int)
kept = box.boxed(1)
kept_words: list[str] = box.listed(word)
getter: Callable[[], int] = box.get
maker: Callable[[int], Box[int]] = IntBox.make


# Generic programs around them.
def apply(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    return function(*args, **kwargs)


def traced(function: Callable[P, R]) -> Callable[P, R]:
    return function


def with_one(function: Callable[Concatenate[int, P], R]) -> Callable[P, R]:
    return lambda *args, **kwargs: function(1, *args, **kwargs)


def cached_of(function: Callable[P, R]) -> Callable[P, R]:
    return cache(function)


def cached_results(function: Callable[[K], V], keys: Iterable[K]) -> dict[K, V]:
    cached = lru_cache(maxsize=None)(function)
    results = {key: cached(key) for key in keys}
    cached.cache_clear()
    return results


@cache
def added(one: int, other: int = 1) -> int:
    return one + other


@traced
@cache
def traced_above(one: int, other: str = "") -> str:
    return other


@cache
@traced
def traced_below(one: int, other: str = "") -> str:
    return other


assert_type(apply(added, 1, other=2), int)
assert_type(apply(box.replaced, 1, deep=True), int)
assert_type(apply(IntBox.make, 1), Box[int])
assert_type(traced_above(1, other="a"), str)
assert_type(traced_below(1, other="a"), str)
assert_type(traced_below.cache_contains(1), bool)
assert_type(with_one(added)(2), int)
assert_type(cached_of(added.__wrapped__)(1, other=2), int)
assert_type(cached_results(len, ["a"]), dict[str, int])
