"""What bound methods of a cache hold, and when that is freed."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections import defaultdict

import pytest

from helpers.method_tools import Shop
from helpers.subprocess_tools import run_function


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


def test_it_holds_the_instance_until_it_is_freed():
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


def test_method_whose_last_reference_its_own_call_drops_is_there_until_it_returns():
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
