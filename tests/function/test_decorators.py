"""The decorators: every way to make a cache, and what they refuse."""

from __future__ import annotations

import functools
import sys

import pytest

import tamis
from helpers.key_tools import echo
from tamis import cache, lru_cache


@pytest.mark.parametrize(
    ("decorator", "parameters"),
    [
        (lru_cache, {"maxsize": 128, "typed": False}),
        (lru_cache(), {"maxsize": 128, "typed": False}),
        (lru_cache(1024), {"maxsize": 1024, "typed": False}),
        (lru_cache(7, True), {"maxsize": 7, "typed": True}),
        (lru_cache(maxsize=None), {"maxsize": None, "typed": False}),
        (lru_cache(maxsize=0), {"maxsize": 0, "typed": False}),
        (lru_cache(maxsize=-5), {"maxsize": 0, "typed": False}),
        (lru_cache(True), {"maxsize": 1, "typed": False}),
        (lru_cache(False), {"maxsize": 0, "typed": False}),
        (lru_cache(sys.maxsize), {"maxsize": sys.maxsize, "typed": False}),
        (lru_cache(typed=True), {"maxsize": 128, "typed": True}),
        (lru_cache(typed="yes"), {"maxsize": 128, "typed": "yes"}),
        (lambda function: lru_cache(function, True), {"maxsize": 128, "typed": True}),
        (lambda function: lru_cache(maxsize=function, typed=False), {"maxsize": 128, "typed": False}),
        (cache, {"maxsize": None, "typed": False}),
        (cache(), {"maxsize": None, "typed": False}),
        (cache(None), {"maxsize": None, "typed": False}),
        (cache(maxsize=5), {"maxsize": 5, "typed": False}),
        (cache(typed=True), {"maxsize": None, "typed": True}),
        (lambda function: cache(function, maxsize=5, typed=True), {"maxsize": 5, "typed": True}),
    ],
)
def test_every_way_to_decorate_makes_a_cache_of_these_parameters(decorator, parameters):
    function = decorator(echo)
    assert function.cache_parameters() == parameters
    assert function.cache_parameters() is not function.cache_parameters()
    assert function.cache_info() == (0, 0, parameters["maxsize"], 0)
    assert function(1, a=2) == function(1, a=2) == ((1,), {"a": 2})
    stores = parameters["maxsize"] != 0
    assert function.cache_info() == ((1, 1) if stores else (0, 2)) + (parameters["maxsize"], int(stores))


def test_one_decorator_makes_a_cache_of_its_own_for_each_function():
    decorator = lru_cache(maxsize=3)
    first, second = decorator(echo), decorator(echo)
    first(1)
    assert (first.cache_info().currsize, second.cache_info().currsize) == (1, 0)


def test_any_negative_maxsize_is_zero():
    for maxsize in (-1, -sys.maxsize, -(1 << 64)):
        assert functools.lru_cache(maxsize)(echo).cache_parameters()["maxsize"] == 0
        assert lru_cache(maxsize)(echo).cache_parameters()["maxsize"] == 0


@pytest.mark.parametrize(
    ("decorate", "named"),
    [
        (lambda module: module.lru_cache(maxsize="x"), "maxsize"),
        (lambda module: module.lru_cache(maxsize=1.5), "maxsize"),
        (lambda module: module.lru_cache([]), "maxsize"),
        (lambda module: module.lru_cache(echo, typed=1), "maxsize"),
        (lambda module: module.lru_cache(size=3), "size"),
        (lambda module: module.lru_cache(1, maxsize=3), "maxsize"),
        (lambda module: module.lru_cache(1, True, typed=True), "typed"),
        (lambda module: module.lru_cache(1, False, None), "positional argument"),
        (lambda module: module.lru_cache()(5), "callable"),
        (lambda module: module.lru_cache(None)("no function"), "callable"),
        (lambda module: module.lru_cache()(echo, echo), "argument"),
        (lambda module: module.lru_cache()(), "argument"),
        (lambda module: module.cache(5), "callable"),
        (lambda module: module.cache(echo, echo), "positional argument"),
        (lambda module: module.cache(echo, size=3), "size"),
        (lambda module: module.lru_cache(1 << 64)(echo), "index-sized"),
        (lambda module: module.lru_cache(sys.maxsize + 1)(echo), "index-sized"),
        (lambda module: module.lru_cache(typed=RaisesWhenAskedForTruth())(echo), "no truth"),
    ],
)
def test_bad_decorations_raise_what_functools_raises_and_name_the_reason(decorate, named):
    with pytest.raises(Exception, match=".") as theirs:
        decorate(functools)
    with pytest.raises(type(theirs.value), match=named) as ours:
        decorate(tamis)
    assert type(ours.value) is type(theirs.value)


@pytest.mark.parametrize("maxsize", ["x", 1.5, echo])
def test_cache_refuses_a_maxsize_that_is_no_number(maxsize):
    with pytest.raises(TypeError, match="maxsize"):
        cache(maxsize=maxsize)


class RaisesWhenAskedForTruth:
    def __bool__(self) -> bool:
        raise LookupError("no truth")


def test_the_package_lists_its_names():
    assert {"CacheInfo", "__version__", "cache", "lru_cache"} <= set(tamis.__all__) <= set(dir(tamis))
    assert isinstance(tamis.__version__, str)
    with pytest.raises(AttributeError, match="no_such_name"):
        tamis.no_such_name  # noqa: B018
