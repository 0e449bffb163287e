"""typeguard and hypothesis: checks around cached functions, and caches around checked ones."""

from __future__ import annotations

import asyncio
from types import ModuleType

import hypothesis
import pytest
from hypothesis import strategies

import tamis
from helpers.package_tools import as_functools, package

typeguard = package("typeguard")


@as_functools
def test_a_cache_above_typeguard_is_checked_on_misses(caches: ModuleType):
    @caches.cache
    @typeguard.typechecked
    def double(number: int) -> int:
        return 2 * number

    assert double(2) == double(2) == 4
    assert double.cache_info()[:2] == (1, 1)
    with pytest.raises(typeguard.TypeCheckError):
        double("two")


@as_functools
def test_typeguard_above_a_cache_says_that_it_can_not_check_and_leaves_the_cache(caches: ModuleType):
    cache = caches.cache(lambda number: number)
    with pytest.warns(typeguard.InstrumentationWarning, match="no code associated"):
        assert typeguard.typechecked(cache) is cache


@as_functools
def test_a_class_that_typeguard_checks_may_have_cached_methods(caches: ModuleType):
    @typeguard.typechecked
    class Account:
        @caches.cache
        def total(self, count: int) -> int:
            return count

        def checked(self, count: int) -> int:
            return count

    assert Account().total(2) == 2
    with pytest.raises(typeguard.TypeCheckError):
        Account().checked("two")
    assert Account.total.cache_info().misses == 1


def test_cached_coroutine_functions_and_typeguard():
    @tamis.cache
    @typeguard.typechecked
    async def double(number: int) -> int:
        return 2 * number

    async def main() -> None:
        assert await double(2) == await double(2) == 4
        with pytest.raises(typeguard.TypeCheckError):
            await double("two")

    asyncio.run(main())


@as_functools
def test_hypothesis_calls_caches_and_makes_values_with_them(caches: ModuleType):
    seen = []

    @caches.cache
    def double(number: int) -> int:
        return 2 * number

    @hypothesis.settings(max_examples=20, database=None)
    @hypothesis.given(strategies.integers().map(double), strategies.builds(double, strategies.integers()))
    def check(first: int, second: int) -> None:
        seen.append(first)
        assert first % 2 == second % 2 == 0

    check()
    assert seen


@as_functools
def test_hypothesis_finds_argument_types_by_the_functions_annotations(caches: ModuleType):
    @caches.cache
    def double(number: int) -> int:
        assert type(number) is int
        return 2 * number

    @hypothesis.settings(max_examples=20, database=None)
    @hypothesis.given(strategies.builds(double))
    def check(value: int) -> None:
        assert value % 2 == 0

    check()
