"""Async generator functions are refused: what they make can be iterated once."""

from __future__ import annotations

import functools
import inspect

import pytest

from tamis import cache, cached_method, lru_cache


async def async_generator(x):
    yield x


class AsyncGenerators:
    async def method(self, x):
        yield x


@pytest.mark.parametrize(
    "function",
    [
        async_generator,
        functools.partial(async_generator),
        AsyncGenerators().method,
        functools.partial(functools.partial(AsyncGenerators().method)),
    ],
)
@pytest.mark.parametrize("decorate", [lru_cache, cache, cached_method, lru_cache(ttl=1)])
def test_async_generator_functions_are_refused_by_the_rule_of_inspect(function, decorate):
    assert inspect.isasyncgenfunction(function)
    with pytest.raises(TypeError, match="async generator"):
        decorate(function)


def test_what_only_holds_an_async_generator_function_is_none():
    class Holds:
        func = staticmethod(async_generator)

        def __call__(self, x):
            return x

    assert lru_cache(Holds())(1) == 1
