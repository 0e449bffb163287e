"""A cached function on an instance: it passes for a bound method, and its cache speaks of calls with that instance."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import inspect
import pickle
import pydoc
import sys
import threading
import types
import typing
import weakref
from abc import ABC, abstractmethod
from collections import defaultdict
from unittest import mock

import pytest

from helpers.subprocess_tools import run_function
from tamis import cache, cached_method, lru_cache

# From 3.13 on CPython makes a method of its own for a class method, which does not hand the class on to the cache.
CHAINS_CLASS_METHODS = sys.version_info < (3, 13)


class Shop:
    """Known to pickle by name."""

    def __init__(self, name="shop"):
        self.name = name
        self.calls = []

    @lru_cache(maxsize=100)
    def price(self, x, *, factor=1):
        """Look a price up."""
        self.calls.append(x)
        return x * factor

    @cached_method(maxsize=10)
    def stock(self, x, *, factor=1):
        """Look the stock up."""
        self.calls.append(x)
        return x * factor

    def plain(self, x, *, factor=1):
        """Look nothing up."""
        return x * factor


@pytest.fixture(params=["price", "stock"])
def method_name(request):
    """A method cached for all instances, and one cached for each."""
    yield request.param
    Shop.price.cache_clear()


def test_methods_of_the_cache_speak_of_the_call_on_that_instance(method_name):
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
    assert method.__module__ == __name__
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


def test_weak_references_die_with_the_bound_method(method_name):
    method = getattr(Shop(), method_name)
    called = []
    reference = weakref.ref(method, called.append)
    assert reference() is method
    del method
    assert reference() is None
    assert called == [reference]


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


def test_ordinary_calls_make_no_bound_method():
    shop = Shop()

    def call():
        for number in range(5):
            shop.price(number)
            shop.stock(number)

    kind = type(shop.price)
    made = []
    gc.collect()
    gc.disable()
    try:
        call()
        sys.setprofile(lambda frame, event, arg: made.append(arg) if type(arg) is kind else None)
        try:
            call()
        finally:
            sys.setprofile(None)
    finally:
        gc.enable()
    assert made == []


def test_cycles_through_it_are_collected(method_name):
    shop = Shop()
    shop.callback = getattr(shop, method_name)
    reference = weakref.ref(shop)
    assert any(found is shop for found in gc.get_referents(shop.callback))
    assert gc.is_tracked(shop.callback)
    del shop
    gc.collect()
    assert reference() is None


def test_it_holds_the_instance_and_lets_go_of_it():
    shop = Shop()
    before = sys.getrefcount(shop)
    method = shop.price
    assert sys.getrefcount(shop) == before + 1
    for _ in range(100):
        shop.price, shop.stock  # noqa: B018
        shop.price.cache_info()
        hash(shop.price), repr(shop.price), shop.price == shop.stock, dir(shop.price)
        with pytest.raises(AttributeError):
            shop.price.nothing  # noqa: B018
    del method
    assert sys.getrefcount(shop) == before


def held_by_nobody_else():
    from collections import defaultdict

    from tamis import cached_method, lru_cache

    class Factory:
        @lru_cache
        def shared(self):
            numbers.default_factory = None
            return 1

        @cached_method
        def own(self):
            numbers.default_factory = None
            return 1

    for name in ("shared", "own"):
        # C code that holds the method by a reference that the call takes away.
        numbers = defaultdict(getattr(Factory(), name))
        assert numbers["a"] == 1
    print("survived")


def test_method_that_its_own_call_lets_go_of_survives():
    assert run_function(held_by_nobody_else) == "survived\n"
    assert isinstance(defaultdict(Shop().price), dict)


def chain_of_bound_methods(links):
    import gc

    from tamis import cache

    function = cache(lambda self: None)
    chain = object()
    for _ in range(links):
        chain = function.__get__(chain)
    del chain
    gc.collect()
    print("released")


def test_long_chain_of_bound_methods_is_dropped_without_a_stack_overflow():
    assert run_function(chain_of_bound_methods, 100_000) == "released\n"


def test_threads_share_a_bound_method():
    shop = Shop()
    methods = [shop.price, shop.stock]
    errors = []

    def work():
        for number in range(2000):
            for method in methods:
                if method(number % 7) != number % 7 or not isinstance(method.cache_contains(number % 7), bool):
                    errors.append(number)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


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
