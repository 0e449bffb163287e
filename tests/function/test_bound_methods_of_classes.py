"""Cached methods in classes of every kind: coroutine, class and static methods, enums, slots, super, mocks."""

from __future__ import annotations

import asyncio
import functools
import inspect
import pickle
import sys
import types
from abc import ABC, abstractmethod
from unittest import mock

import pytest

from helpers.method_tools import Shop
from tamis import cached_method, lru_cache

# From 3.13 on CPython makes a method of its own for a class method, which does not hand the class on to the cache.
CHAINS_CLASS_METHODS = sys.version_info < (3, 13)


def test_its_type_binds_what_is_given():
    shop = Shop()
    kind = type(shop.price)
    assert kind(Shop.stock, shop) == shop.stock
    assert kind(Shop.price, shop).cache_info() == Shop.price.cache_info()
    genuine = kind(Shop.plain, shop)
    assert type(genuine) is types.MethodType
    assert genuine == shop.plain
    with pytest.raises(TypeError, match="callable"):
        kind(1, shop)
    with pytest.raises(TypeError, match="None"):
        kind(Shop.price, None)
    with pytest.raises(TypeError):
        kind(Shop.price)
    assert pickle.loads(pickle.dumps(kind)) is kind
    with pytest.raises(TypeError):
        type("Derived", (kind,), {})


def test_coroutine_methods_are_recognised_and_work():
    class Client:
        @lru_cache
        async def shared(self, x):
            return [x]

        @cached_method
        async def own(self, x):
            return [x]

    async def main(method):
        first = await method(1)
        assert await method(1) is first
        assert method.cache_contains(1)
        method.cache_put("put", 1)
        assert await method(1) == "put"
        assert await method.cache_refresh(1) == [1]
        assert await asyncio.gather(*(asyncio.create_task(method(2)) for _ in range(3))) == [[2]] * 3
        assert method.cache_invalidate(1)
        return method.cache_info().currsize

    client = Client()
    for method in (client.shared, client.own):
        assert inspect.iscoroutinefunction(method)
        assert asyncio.run(main(method)) == 1
    assert inspect.iscoroutinefunction(functools.partial(client.own, 1))
    assert not inspect.iscoroutinefunction(Shop().price)
    assert not inspect.iscoroutinefunction(Shop().stock)


def test_partials_and_partial_methods_over_it():
    class Sized:
        @lru_cache
        def shared(self, x, y):
            return [x, y]

        @cached_method
        def own(self, x, y):
            return [x, y]

        @cached_method
        async def later(self, x, y):
            return [x, y]

        shared_one = functools.partialmethod(shared, 1)
        own_one = functools.partialmethod(own, 1)
        later_one = functools.partialmethod(later, 1)

    sized = Sized()
    assert sized.shared_one(2) is sized.shared(1, 2) is functools.partial(sized.shared, 1)(2)
    assert sized.own_one(2) is sized.own(1, 2) is functools.partial(sized.own, y=2)(1) or sized.own(1, y=2) == [1, 2]
    assert sized.own.cache_contains(1, 2)
    assert str(inspect.signature(sized.own_one)) == "(y)"
    assert inspect.iscoroutinefunction(sized.later_one)
    assert asyncio.run(sized.later_one(2)) == asyncio.run(sized.later(1, 2)) == [1, 2]


def test_mocks_with_its_signature():
    shop = Shop()
    for method in (shop.price, shop.stock):
        double = mock.create_autospec(method)
        double(1, factor=2)
        double.assert_called_once_with(1, factor=2)
        with pytest.raises(TypeError):
            double()
        with pytest.raises(TypeError):
            double(1, 2)
    with mock.patch.object(shop, "stock", autospec=True) as double:
        shop.stock(5)
        double.assert_called_once_with(5)
    assert shop.stock(5) == 5


def test_super_reaches_the_cache_of_the_base_class():
    class Base:
        @lru_cache
        def shared(self, x):
            return ["base", x]

        @cached_method
        def own(self, x):
            return ["base", x]

    class Derived(Base):
        @lru_cache
        def shared(self, x):
            return [*super().shared(x), "derived"]

        @cached_method
        def own(self, x):
            return [*super().own(x), "derived"]

        def base(self, name):
            return getattr(super(), name)

    derived = Derived()
    for name in ("shared", "own"):
        method = getattr(derived, name)
        assert method(1) == ["base", 1, "derived"]
        base = derived.base(name)
        assert base.__func__ is vars(Base)[name]
        assert base != method
        assert base.cache_contains(1)
        assert base.cache_invalidate(1)
        assert method.cache_contains(1)
        assert base.cache_info().currsize == 0
        assert method.cache_info().currsize == 1


def test_abstract_methods_stay_abstract():
    class Base(ABC):
        @abstractmethod
        @cached_method
        def above(self): ...

        @cached_method
        @abstractmethod
        def below(self): ...

        @abstractmethod
        @lru_cache
        def shared(self): ...

    assert Base.__abstractmethods__ == {"above", "below", "shared"}

    class Derived(Base):
        above = below = shared = Shop.stock

    assert Derived.__abstractmethods__ == frozenset()


def test_slots_and_dynamic_attributes_are_no_hindrance():
    class Slotted:
        __slots__ = ("__weakref__", "value")

        @cached_method
        def own(self, x):
            return [x]

        @lru_cache
        def shared(self, x):
            return [x]

    class Dynamic:
        def __getattr__(self, name):
            raise AssertionError(f"asked for {name}")

        @cached_method
        def own(self, x):
            return [x]

        @lru_cache
        def shared(self, x):
            return [x]

    for instance in (Slotted(), Dynamic()):
        for method in (instance.own, instance.shared):
            assert method(1) is method(1)
            assert method.cache_contains(1)
            assert not hasattr(method, "unknown")


def test_methods_of_enum_members():
    import enum

    class Colour(enum.Enum):
        RED = 1
        BLUE = 2

        @cached_method
        def own(self, x):
            return [self, x]

        @lru_cache
        def shared(self, x):
            return [self, x]

    assert [member.name for member in Colour] == ["RED", "BLUE"]
    for method in (Colour.RED.own, Colour.RED.shared):
        assert method(1) is method(1)
        assert method.cache_contains(1)
    assert not Colour.BLUE.own.cache_contains(1)
    assert not Colour.BLUE.shared.cache_contains(1)


def test_class_methods_hand_the_class_on():
    class Base:
        @cached_method
        @classmethod
        def own(cls, x):
            return [cls, x]

        @classmethod
        @lru_cache
        def shared(cls, x):
            return [cls, x]

        @classmethod
        @cached_method
        def below(cls, x):
            return [cls, x]

    class Derived(Base):
        pass

    for kind in (Base, Derived, Base(), Derived()):
        assert kind.own.__self__ is (kind if isinstance(kind, type) else type(kind))
        assert isinstance(kind.own, types.MethodType)
    methods = [(Base.own, Derived.own)]
    if CHAINS_CLASS_METHODS:
        methods += [(Base.shared, Derived.shared), (Base.below, Derived.below)]
    for method, other in methods:
        assert method(1) == [Base, 1]
        assert method.cache_contains(1)
        assert not other.cache_contains(1)
        other.cache_put("put", 1)
        assert other(1) == "put"
        assert method.cache_invalidate(1)
        assert method.cache_refresh(1) == [Base, 1]
    assert Base.own.cache_info().currsize == 1
    # In every version.
    assert Base.shared(5) is Base().shared(5)
    assert Base.shared.__func__.cache_contains(Base, 5)
    assert not Base.shared.__func__.cache_contains(Derived, 5)
    assert Base.below.__func__.cache_for(Base) is not Base.below.__func__.cache_for(Derived)
    assert str(inspect.signature(Base.own)) == "(x)"
    if not CHAINS_CLASS_METHODS:
        with pytest.raises(AttributeError, match="where @cached_method stands above @classmethod"):
            Base.below.cache_info()


def test_static_methods_have_no_instance():
    class Owner:
        @staticmethod
        @lru_cache
        def above(x):
            return [x]

        @cached_method
        @staticmethod
        def below(x):
            return [x]

    for method in (Owner.above, Owner().above, Owner.below, Owner().below):
        assert method(1) is method(1)
        assert method.cache_contains(1)
        assert not isinstance(method, types.MethodType)


def test_properties_over_a_cached_method():
    class Circle:
        def __init__(self):
            self.calls = 0

        @property
        @cached_method
        def area(self):
            self.calls += 1
            return 3

    circle = Circle()
    assert circle.area == circle.area == 3
    assert circle.calls == 1
