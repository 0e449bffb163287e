"""CPython's own tests of functools.lru_cache and functools.cache, run against tamis."""

from __future__ import annotations

import functools
import types
import unittest
from typing import Any

import pytest

import tamis
from models.sieve import Sieve

try:
    from test import test_functools as suite
except ImportError as error:
    pytest.skip(f"this interpreter ships no test.test_functools ({error})", allow_module_level=True)

# functools, but for the two names that tamis takes the place of: what the suite knows as ``self.module``.
MODULE = types.SimpleNamespace(**{**vars(functools), "lru_cache": tamis.lru_cache, "cache": tamis.cache})


@tamis.lru_cache()
def cached_function(x: int, y: int) -> int:
    """Take part in the tests of pickling and copying, as the suite's own module-level functions do."""
    return 3 * x + y


class TestCacheAgainstTamis(suite.TestCache, unittest.TestCase):
    module = MODULE


class TestLRUAgainstTamis(suite.TestLRU, unittest.TestCase):
    module = MODULE
    cached_func = (cached_function,)

    @tamis.lru_cache()
    def cached_meth(self, x: int, y: int) -> int:
        return 3 * x + y

    @staticmethod
    @tamis.lru_cache()
    def cached_staticmeth(x: int, y: int) -> int:
        return 3 * x + y

    def test_lru_method(self) -> None:
        """Do as the suite's test of this name, whose counts are those of least-recently-used eviction, with SIEVE's."""
        model = Sieve(2)

        class X(int):
            calls = 0

            @tamis.lru_cache(2)
            def f(self, x: int) -> int:
                self.calls += 1
                return x * 10 + self

        a, b, c = X(5), X(5), X(7)
        for number, arguments in ((a, "1223111233"), (b, "1211113222"), (c, "2111121321")):
            for argument in map(int, arguments):
                assert number.f(argument) == argument * 10 + int(number)
                model.call((int(number), argument))
                assert X.f.cache_info() == (model.hits, model.misses, 2, len(model.queue))
        assert sum(number.calls for number in (a, b, c)) == model.misses
        assert a.f.cache_info() == X.f.cache_info()


def test_the_whole_suite_is_here() -> None:
    ours: list[Any] = [TestCacheAgainstTamis, TestLRUAgainstTamis]
    for theirs, mine in zip((suite.TestCache, suite.TestLRU), ours, strict=True):
        names = [name for name in dir(theirs) if name.startswith("test")]
        assert names == [name for name in dir(mine) if name.startswith("test")]
        assert mine.module.lru_cache is tamis.lru_cache
