"""A cached function on an instance: it passes for a bound method, and its cache_… methods are about that instance."""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import pickle
import pydoc
import types
import typing
import weakref

import pytest

from helpers.method_tools import Shop
from tamis import cache, cached_method, lru_cache


def test_methods_of_the_cache_are_about_calls_on_that_instance(method_name):
    shop, other = Shop(), Shop()
    method = getattr(shop, method_name)
    assert method(1) == 1
    assert method.cache_contains(1)
    assert not getattr(other, method_name).cache_contains(1)
    assert not method.cache_contains(2)
    assert method.cache_invalidate(1) is True
    assert method.cache_invalidate(1) is False
    assert method(1) == 1
    assert shop.calls == [1, 1]
    assert method.cache_put("put", 7) is None
    assert method(7) == "put"
    assert getattr(other, method_name)(7) == 7
    assert method.cache_refresh(7) == 7
    assert method(7) == 7
    assert shop.calls == [1, 1, 7]


def test_keyword_arguments_are_handed_on(method_name):
    shop = Shop()
    method = getattr(shop, method_name)
    method.cache_put("put", 3, factor=4)
    assert method.cache_contains(3, factor=4)
    assert not method.cache_contains(3)
    assert method(3, factor=4) == "put"
    assert method.cache_refresh(3, factor=5) == 15
    assert method.cache_invalidate(3, factor=4)
    assert not method.cache_contains(3, factor=4)


def test_many_arguments_are_handed_on():
    class Sum:
        @lru_cache
        def of_all(self, *args, **kwargs):
            return sum(args) + sum(kwargs.values())

        @cached_method
        def of_each(self, *args, **kwargs):
            return sum(args) + sum(kwargs.values())

    numbers, more = tuple(range(12)), {f"n{number}": number for number in range(12)}
    for method in (Sum().of_all, Sum().of_each):
        assert method(*numbers, **more) == 132
        assert method.cache_contains(*numbers, **more)
        method.cache_put(5, *numbers, **more)
        assert method(*numbers, **more) == functools.partial(method, *numbers)(**more) == 5
        assert list(map(method, numbers)) == list(numbers)


def test_counts_and_clearing_are_those_of_the_cache_that_calls_use():
    shop, other = Shop(), Shop()
    shop.price(1), other.price(1), other.price(1)
    assert shop.price.cache_info() == other.price.cache_info() == Shop.price.cache_info() == (1, 2, 100, 2)
    shop.stock(1), other.stock(1), other.stock(1)
    assert shop.stock.cache_info() == (0, 1, 10, 1)
    assert other.stock.cache_info() == Shop.stock.cache_for(other).cache_info() == (1, 1, 10, 1)
    assert other.stock.cache_stats()["hits"] == 1
    assert shop.stock.cache_parameters() == {"maxsize": 10, "typed": False}
    assert shop.price.cache_parameters() == {"maxsize": 100, "typed": False}
    shop.stock.cache_clear()
    assert shop.stock.cache_info() == (0, 0, 10, 0)
    assert other.stock.cache_info() == (1, 1, 10, 1)
    shop.price.cache_clear()
    assert other.price.cache_info() == (0, 0, 100, 0)


def test_instance_without_any_call_has_an_empty_cache():
    shop = Shop()
    assert shop.stock.cache_info() == (0, 0, 10, 0)
    assert shop.stock.cache_stats()["currsize"] == 0
    assert shop.stock.cache_parameters()["maxsize"] == 10
    assert shop.stock.cache_clear() is None
    assert shop.stock.cache_contains(1) is False
    assert shop.stock.cache_invalidate(1) is False
    fresh = Shop()
    fresh.stock.cache_put("put", 1)
    assert fresh.stock(1) == "put"
    assert Shop().stock.cache_refresh(2) == 2


def test_what_is_missing_for_cache_put_is_said(method_name):
    method = getattr(Shop(), method_name)
    with pytest.raises(TypeError, match=r"cache_put\(\) takes the value to store"):
        method.cache_put()
    with pytest.raises(TypeError, match=r"cache_put\(\) takes the value to store"):
        method.cache_put(x=1)
    with pytest.raises(TypeError, match="takes no arguments"):
        method.cache_info(1)


def test_it_passes_for_a_bound_method(method_name):
    shop = Shop()
    method = getattr(shop, method_name)
    assert isinstance(method, types.MethodType)
    assert method.__class__ is types.MethodType
    assert inspect.ismethod(method)
    assert inspect.isroutine(method)
    assert not inspect.isfunction(method)
    assert callable(method)
    assert method.__self__ is shop
    assert method.__func__ is vars(Shop)[method_name]
    assert method.__name__ == method_name
    assert method.__qualname__ == f"Shop.{method_name}"
    assert method.__module__ == Shop.__module__
    assert method.__doc__ == vars(Shop)[method_name].__doc__
    assert method.__doc__.startswith("Look ")
    assert method.__wrapped__ is vars(Shop)[method_name].__wrapped__
    # From 3.14 on functools' caches have none either, but __annotate__.
    assert getattr(method, "__annotations__", {}) == {}
    assert repr(method) == repr(types.MethodType(method.__func__, shop))
    assert f"bound method Shop.{method_name} of <" in repr(method)
    assert inspect.signature(method) == inspect.signature(shop.plain)
    assert inspect.unwrap(method) is method.__wrapped__
    assert method.__get__(Shop()) is method
    with pytest.raises(AttributeError):
        method.unknown  # noqa: B018
    with pytest.raises(AttributeError):
        method.attribute = 1
    with pytest.raises((AttributeError, TypeError)):
        method.__class__ = int


def test_attributes_given_to_the_function_are_seen_through_the_method(method_name):
    function = vars(Shop)[method_name]
    function.short_description = "short"
    try:
        assert getattr(Shop(), method_name).short_description == "short"
    finally:
        del function.short_description


def test_names_are_listed():
    for name in ("cache_info", "cache_put", "__self__", "__func__", "__wrapped__"):
        assert name in dir(Shop().price)
        assert name in dir(Shop().stock)


def test_equality_and_hash_are_those_of_bound_methods(method_name):
    shop, other = Shop(), Shop()
    method = getattr(shop, method_name)
    genuine = types.MethodType(vars(Shop)[method_name], shop)
    assert method == getattr(shop, method_name)
    assert (method != getattr(shop, method_name)) is False
    assert hash(method) == hash(getattr(shop, method_name)) == hash(genuine)
    assert method == genuine
    assert genuine == method
    assert {genuine: 1}[method] == {method: 1}[genuine] == 1
    for different in (getattr(other, method_name), shop.plain, Shop.plain, vars(Shop)[method_name], 1, None):
        assert method != different
        assert different != method
    with pytest.raises(TypeError):
        method < method  # noqa: B015


def test_equal_instances_have_different_methods():
    class Equal:
        def __eq__(self, other):
            return True

        __hash__ = None

        @cached_method
        def get(self):
            return self

    a, b = Equal(), Equal()
    assert a.get == a.get
    assert a.get != b.get
    assert len({a.get, b.get, a.get}) == 2


def test_pickling_copying_and_deep_copying_are_those_of_bound_methods(method_name):
    shop = Shop("corner")
    shop.callback = getattr(shop, method_name)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        loaded = pickle.loads(pickle.dumps(shop.callback, protocol))
        assert loaded.__self__.name == "corner"
        assert loaded.__self__ is not shop
        assert loaded == getattr(loaded.__self__, method_name)
    assert copy.copy(shop.callback) == shop.callback
    copied = copy.deepcopy(shop)
    assert copied.callback == getattr(copied, method_name)
    assert copied.callback.__self__ is copied
    copied.callback(4)
    assert copied.callback.cache_contains(4)
    assert not shop.callback.cache_contains(4)


def test_weak_methods_find_their_way_back(method_name):
    shop = Shop()
    called = []
    reference = weakref.WeakMethod(getattr(shop, method_name), called.append)
    assert reference() == getattr(shop, method_name)
    assert reference()(3) == 3
    assert reference().cache_contains(3)
    assert reference == weakref.WeakMethod(getattr(shop, method_name))
    if method_name == "price":
        # A cache for all instances keeps them alive.
        shop.price.cache_clear()
    del shop
    gc.collect()
    assert reference() is None
    assert called == [reference]


def test_weak_references_are_cleared_when_the_bound_method_is_freed(method_name):
    method = getattr(Shop(), method_name)
    called = []
    reference = weakref.ref(method, called.append)
    assert reference() is method
    del method
    assert reference() is None
    assert called == [reference]


def test_the_method_of_the_class_says_where_the_caches_are():
    for name in ("cache_info", "cache_clear", "cache_put"):
        assert not hasattr(Shop.stock, name)
        with pytest.raises(AttributeError, match=rf"cache_for\(instance\) has '{name}', and so has the method on an"):
            getattr(Shop.stock, name)
        assert hasattr(Shop.price, name)
        assert hasattr(Shop().stock, name)
    with pytest.raises(AttributeError, match="no attribute 'cache_nothing'"):
        Shop.stock.cache_nothing()
    assert Shop.stock.cache_parameters()["maxsize"] == 10


def test_documentation_and_hints_are_those_of_the_function(method_name):
    method = getattr(Shop(), method_name)
    assert f"method {method_name} in module" in pydoc.render_doc(method)
    assert typing.get_type_hints(method) == typing.get_type_hints(Shop().plain)


def test_eq_of_instances_is_called_as_calls_call_it():
    class Point:
        def __init__(self, x):
            self.x = x

        def __eq__(self, other):
            return self.x == other.x

        def __hash__(self):
            return 1

        @cache
        def shared(self):
            return [self.x]

        @cached_method
        def own(self):
            return [self.x]

    # Equal instances share entries in a cache for all, and don't in caches for each.
    assert Point(1).shared() is Point(1).shared()
    assert Point(1).shared.cache_contains()
    assert not Point(2).shared.cache_contains()
    point = Point(1)
    assert point.own() == [1]
    assert point.own.cache_contains()
    assert not Point(1).own.cache_contains()


def test_cache_can_be_wrapped_around_a_bound_method():
    shop = Shop()
    again = lru_cache(shop.price)
    assert again(3) == 3
    assert again(3) == 3
    assert shop.calls == [3]
    assert again.cache_info().hits == 1
    assert again.__name__ == "price"
    assert again.__wrapped__ == shop.price
    assert str(inspect.signature(again)) == "(x, *, factor=1)"
