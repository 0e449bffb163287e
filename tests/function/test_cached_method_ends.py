"""What cached_method keeps of instances that are freed, and how deep its calls may nest."""

from __future__ import annotations

import asyncio
import gc
import inspect
import weakref

import pytest

from helpers.subprocess_tools import run_function
from tamis import cached_method


class Value:
    alive = 0

    def __init__(self):
        Value.alive += 1

    def __del__(self):
        Value.alive -= 1


def test_methods_called_by_finalizers_of_cycles_leave_no_cache():
    class Last:
        @cached_method(None)
        def get(self):
            return Value()

        def __del__(self):
            self.get()
            self.get()

    # Some have a cache already, others get their first one from their finalizer.
    before = Value.alive
    instances = [Last() for _ in range(500)]
    for number, instance in enumerate(instances):
        instance.me = instance
        if number % 2:
            instance.get()
    del instance
    instances.clear()
    gc.collect()
    assert Value.alive == before


def test_methods_called_by_finalizers_without_a_cycle_leave_no_cache():
    class Last:
        @cached_method
        def get(self, x):
            return Value()

        def __del__(self):
            assert self.get(1) is not None
            assert self.get.cache_info().maxsize == 128

    before = Value.alive
    for _ in range(100):
        Last()
        assert Value.alive == before
        instance = Last()
        first = instance.get(1)
        assert instance.get(1) is first
        del instance, first
        assert Value.alive == before


def test_call_inside_of_a_finalizer_remembers_what_it_computes_meanwhile():
    calls = []

    class Last:
        @cached_method
        def fib(self, n):
            calls.append(n)
            return n if n < 2 else self.fib(n - 1) + self.fib(n - 2)

        def __del__(self):
            results.append(self.fib(20))

    results = []
    Last()
    assert results == [6765]
    assert len(calls) == 21


def test_errors_inside_of_a_finalizer_leave_no_cache():
    class Last:
        @cached_method
        def get(self, x):
            raise LookupError(x)

        def __del__(self):
            for x in (1, 2):
                with pytest.raises(LookupError):
                    self.get(x)
            done.append(1)

    done = []
    for _ in range(10):
        Last()
    assert len(done) == 10


def test_instance_that_its_finalizer_revives_works_on():
    class Phoenix:
        def __init__(self):
            self.calls = 0

        @cached_method
        def get(self, x):
            self.calls += 1
            return (x, self.calls)

        def __del__(self):
            back.append(self)

    back = []
    phoenix = Phoenix()
    assert phoenix.get(1) == (1, 1)
    del phoenix
    (phoenix,) = back
    # It may compute each time, as nobody tells when it is freed at last.
    assert phoenix.get(1)[0] == 1
    assert phoenix.get(2)[0] == 2
    reference = weakref.ref(phoenix)
    back.clear()
    del phoenix
    gc.collect()
    assert reference() is None


def test_freed_instances_without_a_callback_are_found_as_the_caches_grow():
    class Thing:
        @cached_method
        def get(self):
            return Value()

    class Last:
        """Calls a method of what is freed with it, whose class has no finalizer itself."""

        def __init__(self):
            self.thing, self.me = Thing(), self

        def __del__(self):
            self.thing.get()

    before = Value.alive
    living = [Thing() for _ in range(20)]
    for thing in living:
        thing.get()
    most = 0
    for _ in range(40):
        for _ in range(50):
            Last()
        gc.collect()
        # Calls of new instances are what the caches grow by.
        for _ in range(5):
            Thing().get()
        most = max(most, Value.alive - before)
    assert most < 200
    assert all(thing.get.cache_info().hits == 0 for thing in living)
    assert all(thing.get() is thing.get() for thing in living)


def test_cache_of_one_instance_looks_like_the_method_without_the_instance():
    class Owner:
        @cached_method(ignore="verbose")
        def get(self, x: int, *, verbose: bool = False) -> list:
            """Get it."""
            return [x]

    owner = Owner()
    cached = Owner.get.cache_for(owner)
    assert cached.__name__ == "get"
    assert cached.__qualname__ == Owner.get.__qualname__
    assert cached.__module__ == __name__
    assert cached.__doc__ == "Get it."
    assert str(inspect.signature(cached)).startswith("(x: ")
    assert list(inspect.signature(cached).parameters) == ["x", "verbose"]
    assert cached.__wrapped__(3) == [3]
    assert cached.__wrapped__ is not cached.__wrapped__.__func__
    assert cached.__wrapped__.__func__ is Owner.get.__wrapped__
    assert cached.__wrapped__.__self__ is owner
    assert not hasattr(cached.__wrapped__, "cache_info")
    assert cached(1) is cached(1, verbose=True) is owner.get(1)
    assert not inspect.iscoroutinefunction(cached)
    function = cached.__wrapped__
    assert "get of" in repr(function)
    assert function == function
    assert hash(function) == hash(function)
    assert function != Owner.get.cache_for(Owner()).__wrapped__
    del owner
    gc.collect()
    for gone in (cached, function, cached.cache_refresh):
        with pytest.raises(ReferenceError, match="instance of this cache no longer exists"):
            gone(2)
    with pytest.raises(ReferenceError):
        function.__self__  # noqa: B018
    assert "of an instance that no longer exists" in repr(function)
    assert cached(1) == [1]
    assert cached.cache_info().hits == 3


def depths():
    import functools
    import sys
    from contextlib import suppress

    from tamis import cached_method, lru_cache

    def reached_by(decorate, call):
        deepest = [0]

        class Owner:
            @decorate
            def descend(self, n):
                deepest[0] = n
                return call(self, n + 1)

        with suppress(RecursionError):
            Owner().descend(0)
        return deepest[0]

    def by_attribute(self, n):
        return self.descend(n)

    def by_bound_method(self, n):
        descend = self.descend
        return descend(n)

    for limit in (sys.getrecursionlimit(), 2000):
        sys.setrecursionlimit(limit)
        theirs = reached_by(functools.lru_cache(None), by_attribute)
        for decorate in (lru_cache(None), cached_method(None), cached_method(None, ttl=60)):
            for call in (by_attribute, by_bound_method):
                ours = reached_by(decorate, call)
                assert ours >= theirs, (limit, theirs, ours)
    print("as deep")


def test_methods_nest_as_deeply_as_with_functools():
    assert run_function(depths) == "as deep\n"


def test_cache_of_one_instance_of_a_coroutine_method_is_a_coroutine_function():
    class Owner:
        @cached_method
        async def get(self, x):
            return [x]

    owner = Owner()
    cached = Owner.get.cache_for(owner)
    for function in (cached, cached.__wrapped__, owner.get, Owner.get):
        assert inspect.iscoroutinefunction(function)
    assert str(inspect.signature(cached)) == "(x)"
    assert asyncio.run(cached(1)) is asyncio.run(owner.get(1))
    assert asyncio.run(cached.__wrapped__(1)) == [1]
    assert cached.__name__ == "get"
    del owner
    gc.collect()
    with pytest.raises(ReferenceError, match="instance of this cache no longer exists"):
        asyncio.run(cached(2))
