"""Decorators made by wrapt and by the package `decorator`, above and below caches."""

from __future__ import annotations

import asyncio
import functools
import inspect
from types import ModuleType
from typing import Any

import tamis
from helpers.package_tools import as_functools, package

wrapt = package("wrapt")
decorator = package("decorator")


@wrapt.decorator
def with_instance(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
    return instance, wrapped(*args, **kwargs)


@wrapt.decorator
def unchanged(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    return wrapped(*args, **kwargs)


@decorator.decorator
def in_brackets(function: Any, *args: Any, **kwargs: Any) -> str:
    return f"[{function(*args, **kwargs)}]"


@as_functools
def test_a_decorator_of_wrapt_above_a_cache_shows_the_cache(caches: ModuleType):
    @with_instance
    @caches.lru_cache(maxsize=3)
    def double(number: int) -> int:
        return 2 * number

    assert double(2) == double(2) == (None, 4)
    assert double.cache_info() == (1, 1, 3, 1)
    assert isinstance(double, functools._lru_cache_wrapper)
    assert double.cache_parameters() == {"maxsize": 3, "typed": False}
    assert str(inspect.signature(double)) == "(number: 'int') -> 'int'"
    double.cache_clear()
    assert double.cache_info().currsize == 0


@as_functools
def test_a_decorator_of_wrapt_below_a_cache_is_called_by_misses_alone(caches: ModuleType):
    calls = []

    @wrapt.decorator
    def counted(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        calls.append(args)
        return wrapped(*args, **kwargs)

    @caches.cache
    @counted
    def double(number: int) -> int:
        return 2 * number

    assert double(2) == double(2) == 4
    assert calls == [(2,)]


@as_functools
def test_methods(caches: ModuleType):
    class Account:
        @with_instance
        @caches.cache
        def total(self, count: int) -> int:
            return count

        @with_instance
        @classmethod
        @caches.cache
        def of_class(cls, count: int) -> int:
            return count

        @classmethod
        @caches.cache
        @with_instance
        def below(cls, count: int) -> int:
            return count

    account = Account()
    assert account.total(1) == (account, 1)
    assert Account.of_class(2) == account.of_class(2) == (Account, 2)
    assert account.below(3)[1] == 3


def test_a_cache_for_each_instance():
    class Account:
        @with_instance
        @tamis.cached_method
        def total(self, count: int) -> int:
            return count

        @tamis.cached_method
        @unchanged
        def below(self, count: int) -> int:
            return count

    account = Account()
    assert account.total(1) == account.total(1) == (account, 1)
    assert account.below(2) == account.below(2) == 2
    assert Account.total.cache_for(account).cache_info()[:2] == (1, 1)
    assert Account.below.cache_for(account).cache_info()[:2] == (1, 1)


def test_coroutine_functions_stay_coroutine_functions():
    calls = []

    async def double(number: int) -> int:
        calls.append(number)
        return 2 * number

    above, below = unchanged(tamis.cache(double)), tamis.cache(unchanged(double))
    assert inspect.iscoroutinefunction(above)
    assert inspect.iscoroutinefunction(below)

    async def main() -> None:
        for function in (above, below):
            assert await function(2) == await function(2) == 4

    asyncio.run(main())
    assert calls == [2, 2]


@as_functools
def test_an_object_proxy_passes_for_the_cache(caches: ModuleType):
    proxy = wrapt.CallableObjectProxy(caches.cache(len))
    assert isinstance(proxy, functools._lru_cache_wrapper)
    assert proxy("abc") == 3
    assert proxy.cache_info().misses == 1
    # And proxies are arguments as what they stand for is.
    assert caches.cache(len)(wrapt.ObjectProxy("abcd")) == 4


@as_functools
def test_a_decorator_of_the_package_decorator_above_and_below_a_cache(caches: ModuleType):
    def shown(number: int, unit: str = "m") -> str:
        calls.append(number)
        return f"{number} {unit}"

    calls: list[int] = []
    above, below = in_brackets(caches.cache(shown)), caches.cache(in_brackets(shown))
    assert above(1) == above(1) == below(2).replace("2", "1") == below(2).replace("2", "1") == "[1 m]"
    assert calls == [1, 2]
    for function in (above, below):
        assert str(inspect.signature(function)) == "(number: 'int', unit: 'str' = 'm') -> 'str'"
    assert below.cache_info()[:2] == (1, 1)
