"""What type checkers must accept where they are not strict: programs that are not annotated, or only in part."""

from __future__ import annotations

import functools
from typing import Any

import tamis
from tamis import cache, cached_method, lru_cache


@cache
def bare(a, b=2, *rest, c=3, **more):
    return a


@lru_cache(maxsize=None)
def in_part(a: int, b=2):
    return a


class Shelf:
    @cache
    def bare(self, at, deep=False):
        return at

    @lru_cache(maxsize=3)
    def in_part(self, at: int, deep=False) -> int:
        return at

    @cached_method
    def own(self, at, *rest):
        return at

    @cached_method(maxsize=3)
    def own_in_part(self, at: int, *rest):
        return at

    @classmethod
    @cache
    def of_class(cls, at):
        return cls, at

    @cached_method
    @classmethod
    def own_of_class(cls, at):
        return cls, at

    @staticmethod
    @cache
    def alike(at, deep=False):
        return at

    @property
    @cache
    def size(self):
        return 1

    @cache
    def odd_name(this, at):
        return at

    @cache
    async def later(self, at):
        return at

    area = cache(lambda self, by: by)
    part = cached_method(functools.partial(max, 1))


class Deep(Shelf):
    @cache
    def bare(self, at, deep=False):
        return super().bare(at, deep)

    @cached_method
    def own(self, at, *rest):
        return super().own(at)

    @classmethod
    @cache
    def of_class(cls, at):
        return super().of_class(at)


bare(1, 2, 3, c=4, d=5)
bare.cache_clear()
bare.cache_contains(1, 2)
bare.cache_put(1, 2, c=3)
in_part(1, b=3)
for shelf in (Shelf(), Deep()):
    shelf.bare(1)
    shelf.bare(1, deep=True)
    shelf.bare.cache_clear()
    shelf.in_part(1, deep=True)
    shelf.own(1, 2)
    shelf.own.cache_clear()
    shelf.own_in_part(1, 2)
    shelf.of_class(1)
    shelf.alike(1, deep=True)
    shelf.size + 1
    shelf.odd_name(1)
    shelf.area(2)
    Shelf.bare(shelf, 1)
    Shelf.bare(shelf, 1, deep=True)
    Shelf.in_part(shelf, 1)
    Shelf.own(shelf, 1, 2)
    Shelf.own.cache_for(shelf).cache_clear()
    Shelf.own_in_part.cache_for(shelf).cache_contains(1)
    Shelf.area(shelf, 2)
Shelf.of_class(1)
Shelf.of_class.cache_clear()
Shelf.own_of_class(1)
Shelf.alike(1)
Deep.of_class(1)


def use(function, value):
    cached = tamis.lru_cache(maxsize=value)(function)
    cached.cache_clear()
    once_more = cache(function, ttl=value)
    return cached(1) + once_more(1)


use(lambda number: number, 3)


# By the name that functools' stubs have for the type, as isinstance() takes it.
def clear_all(functions: list[functools._lru_cache_wrapper[Any]]) -> None:
    for function in functions:
        function.cache_clear()


clear_all([bare, in_part])
one: functools._lru_cache_wrapper[int] = lru_cache(maxsize=3)(len)
assert isinstance(one, functools._lru_cache_wrapper)
