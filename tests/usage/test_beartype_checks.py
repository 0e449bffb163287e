"""@beartype above and below a cache."""

from __future__ import annotations

import asyncio
import inspect
from types import ModuleType

import pytest

import tamis
from helpers.package_tools import as_functools, package
from helpers.subprocess_tools import run_function

beartype = package("beartype")
Violation = package("beartype.roar").BeartypeCallHintParamViolation


@as_functools
def test_a_cache_below_beartype_stays_a_cache_and_is_checked(caches: ModuleType):
    @beartype.beartype
    @caches.lru_cache(maxsize=3, typed=True)
    def double(number: int) -> int:
        """Doc."""
        return 2 * number

    assert double(2) == double(2) == 4
    assert double.cache_info() == (1, 1, 3, 1)
    assert double.cache_parameters() == {"maxsize": 3, "typed": True}
    assert (double.__name__, double.__doc__, str(inspect.signature(double))[:9]) == ("double", "Doc.", "(number: ")
    with pytest.raises(Violation):
        double("two")
    double.cache_clear()
    assert double.cache_info().currsize == 0


def test_a_cache_below_beartype_keeps_its_options():
    now = 0.0

    @beartype.beartype
    @tamis.lru_cache(maxsize=3, ttl=60, ignore="log", clock=lambda: now)
    def double(number: int, log: object = None) -> int:
        calls.append(number)
        return 2 * number

    calls: list[int] = []
    assert double(2, log=1) == double(2, log=2) == 4
    assert calls == [2]
    assert double.cache_contains(2)
    assert double.cache_parameters()["ttl"] == 60
    now = 61.0
    assert double(2) == 4
    assert calls == [2, 2]
    with pytest.raises(Violation):
        double("two")
    assert double.cache_invalidate(2)


def test_a_cached_coroutine_function_below_beartype_is_checked():
    @beartype.beartype
    @tamis.cache
    async def double(number: int) -> int:
        calls.append(number)
        return 2 * number

    calls: list[int] = []

    async def main() -> None:
        assert await double(2) == await double(2) == 4
        with pytest.raises(Violation):
            await double("two")

    asyncio.run(main())
    assert calls == [2]
    assert inspect.iscoroutinefunction(double)
    assert double.cache_info().hits == 1


@as_functools
def test_cached_methods_below_beartype(caches: ModuleType):
    class Account:
        @beartype.beartype
        @caches.cache
        def total(self, count: int) -> int:
            return count

        @beartype.beartype
        @classmethod
        @caches.cache
        def of_class(cls, count: int) -> int:
            return count

        @beartype.beartype
        @staticmethod
        @caches.cache
        def of_nobody(count: int) -> int:
            return count

    account = Account()
    for method in (account.total, account.of_class, Account.of_class, account.of_nobody):
        assert method(1) == method(1) == 1
        with pytest.raises(Violation):
            method("one")
    assert Account.total.cache_info().hits == 1


def test_a_cache_for_each_instance_below_beartype():
    class Account:
        @beartype.beartype
        @tamis.cached_method(maxsize=7)
        def total(self, count: int) -> int:
            return count

    account = Account()
    assert account.total(1) == account.total(1) == 1
    with pytest.raises(Violation):
        account.total("one")
    assert Account.total.cache_for(account).cache_info() == (1, 2, 7, 1)


@as_functools
def test_a_class_below_beartype_may_have_cached_methods(caches: ModuleType):
    @beartype.beartype
    class Account:
        @caches.cache
        def total(self, count: int) -> int:
            return count

        @staticmethod
        @caches.cache
        def of_nobody(count: int) -> int:
            return count

    assert Account().total(1) == 1
    Account.total.cache_clear()
    assert Account.of_nobody(1) == 1
    with pytest.raises(Violation):
        Account.of_nobody("one")


@as_functools
def test_a_cache_above_beartype(caches: ModuleType):
    @caches.cache
    @beartype.beartype
    def double(number: int) -> int:
        return 2 * number

    assert double(2) == double(2) == 4
    assert double.cache_info().hits == 1
    with pytest.raises(Violation):
        double("two")


def test_ignored_parameters_are_known_through_beartype():
    @tamis.cache(ignore=("log", "options"))
    @beartype.beartype
    def double(number: int, log: object = None, *rest: int, flag: bool = False, **options: object) -> int:
        return 2 * number

    assert [double(2, 1), double(2, 2), double(2, log=3), double(2, colour=4)] == [4] * 4
    assert double.cache_info()[:2] == (3, 1)
    double(2, 1, 5)
    double(2, flag=True)
    assert double.cache_info()[:2] == (3, 3)
    with pytest.raises(ValueError, match="'nobody', which is no parameter"):
        tamis.cache(ignore="nobody")(double.__wrapped__)


def test_caches_that_are_older_than_beartype_and_functools_own():
    def child() -> None:
        import functools
        import warnings

        import tamis

        @tamis.cache(ttl=60)
        def double(number: int) -> int:
            return 2 * number

        warnings.simplefilter("ignore")
        import beartype

        checked = beartype.beartype(double)
        assert checked(2) == checked(2) == 4
        assert checked.cache_parameters()["ttl"] == 60
        assert checked.cache_info().hits == 1
        try:
            checked("two")
        except beartype.roar.BeartypeCallHintParamViolation:
            pass
        else:
            raise AssertionError("not checked")
        own = beartype.beartype(functools.lru_cache(maxsize=5)(double.__wrapped__))
        assert type(own) is functools._lru_cache_wrapper
        assert own.cache_parameters() == {"maxsize": 5, "typed": False}

    run_function(child)
