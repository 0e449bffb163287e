"""A cache is of a coroutine function if `inspect.iscoroutinefunction` says so of what it is put around."""

from __future__ import annotations

import asyncio
import functools
import inspect
import pydoc
import sys
import types
from unittest.mock import AsyncMock, MagicMock, Mock

import pytest

import tamis
from helpers.coroutine_tools import MARKS, asyncio_says, double, marked
from helpers.marks import for_marked_functions
from helpers.subprocess_tools import run_child
from tamis import cache, cached_method, lru_cache

# What inspect takes other objects for functions by.
FUNCTION_LIKE = {"__code__", "__defaults__", "__kwdefaults__", "_is_coroutine_marker"}


def returns_coroutine(x):
    return double(x)


class Calls:
    """An object whose calls are those of an `async def`."""

    async def __call__(self, x):
        return [x * 2]

    async def method(self, x):
        return [x * 2]

    async def two(self, y, x):
        return [x * 2]

    of_one = functools.partialmethod(two, 0)

    @classmethod
    async def of_class(cls, x):
        return [x * 2]

    @staticmethod
    async def static(x):
        return [x * 2]


class Forwards:
    def __call__(self, x):
        return double(x)


def wrapped_object(function):
    return functools.update_wrapper(Forwards(), function)


COROUTINE_FUNCTIONS = {
    "async def": lambda: double,
    "partial": lambda: functools.partial(double, y=0),
    "partial of a partial": lambda: functools.partial(functools.partial(double, y=0), z=0),
    "partial that is wrapped": lambda: functools.update_wrapper(functools.partial(double, y=0), double),
    "bound method": lambda: Calls().method,
    "partial of a bound method": lambda: functools.partial(Calls().two, 0),
    "method of a partialmethod": lambda: Calls().of_one,
    "class method": lambda: Calls.of_class,
    "static method": lambda: Calls.static,
    "bound __call__": lambda: Calls().__call__,
    "AsyncMock": lambda: AsyncMock(side_effect=double),
    "partial of an AsyncMock": lambda: functools.partial(AsyncMock(side_effect=double)),
    "tamis": lambda: lru_cache(double),
    "tamis, with options": lambda: lru_cache(double, ttl=60),
    "tamis that stores nothing": lambda: lru_cache(maxsize=0)(double),
    "partial of tamis": lambda: functools.partial(lru_cache(double)),
    "tamis over a partial": lambda: lru_cache(functools.partial(double, y=0)),
    "tamis over tamis": lambda: lru_cache(cache(functools.partial(double, y=0))),
    "tamis over an AsyncMock": lambda: lru_cache(AsyncMock(side_effect=double)),
    "tamis as a method": lambda: type("C", (), {"m": cache(lambda_self())})().m,
    "async def around a def": lambda: functools.wraps(abs)(fresh_async()),
    "async def around an async def": lambda: functools.wraps(double)(fresh_async()),
}
if MARKS:
    COROUTINE_FUNCTIONS |= {
        "marked function": lambda: marked(lambda x: double(x)),
        "partial of a marked function": lambda: functools.partial(marked(lambda x: double(x))),
        "marked object": lambda: marked(Forwards()),
        "marked object with an async __call__": lambda: marked(Calls()),
        "wrapper of a marked function": lambda: functools.wraps(marked(lambda x: double(x)))(lambda x: double(x)),
        "object that wraps a marked function": lambda: wrapped_object(marked(lambda x: double(x))),
        "tamis over a marked function": lambda: lru_cache(marked(lambda x: double(x))),
        "tamis over a marked object": lambda: cache(marked(Forwards())),
    }


def fresh_async():
    async def function(x):
        return [x * 2]

    return function


def lambda_self():
    async def method(self, x):
        return [x * 2]

    return method


class HasFunc:
    """Holds a coroutine function, and is none: what it returns is a number."""

    def __init__(self):
        self.func = self.__func__ = self.__wrapped__ = double

    def __call__(self, x):
        return x * 2


def spoken_for(function):
    """An object whose `__dict__` has all that a coroutine function has there."""
    made = Forwards.__new__(HasFunc)
    functools.update_wrapper(made, function)
    return made


@functools.wraps(double)
def plain(x):
    return x * 2


OTHERS = {
    "def": lambda: lambda x: x * 2,
    "builtin": lambda: abs,
    "class": lambda: int,
    "method of C": lambda: str.upper,
    "bound method of C": lambda: "a".replace,
    "object with func": HasFunc,
    "wrapper": lambda: plain,
    "bound wrapper": lambda: types.MethodType(plain, 1),
    "wrapper of a cache": lambda: functools.wraps(lru_cache(double))(lambda x: x * 2),
    "object that wraps": lambda: spoken_for(double),
    "object that wraps a cache": lambda: spoken_for(lru_cache(double)),
    "partial of a wrapper": lambda: functools.partial(plain),
    "partial with attributes": lambda: wrapped_partial(),
    "mock": Mock,
    "magic mock": MagicMock,
    "functools over a def": lambda: functools.lru_cache(plain),
    "tamis over a def": lambda: lru_cache(plain),
    "generator function": lambda: generator_function,
    "types.coroutine": lambda: types.coroutine(generator_function),
    "object with an async __call__": Calls,
    "def that returns a coroutine": lambda: returns_coroutine,
}


if MARKS:
    # Before 3.12 it has asyncio's mark, which stands for the one that inspect does not have.
    OTHERS["object that wraps a cache of a mock"] = lambda: spoken_for(lru_cache(AsyncMock()))


def wrapped_partial():
    """inspect looks through a partial, and never at what its `__dict__` says."""
    made = functools.partial(plain)
    made.__dict__.update({name: getattr(double, name) for name in FUNCTION_LIKE if hasattr(double, name)})
    made.__name__ = "made"
    if MARKS:
        marked(made)
    return made


def generator_function(x):
    yield x


@pytest.mark.parametrize("make", COROUTINE_FUNCTIONS.values(), ids=COROUTINE_FUNCTIONS.keys())
@pytest.mark.parametrize("decorate", [lru_cache, cache, lru_cache(ttl=60), lru_cache(typed=True)])
def test_a_coroutine_function_stays_one_and_its_results_are_awaited_many_times(make, decorate):
    function = make()
    assert inspect.iscoroutinefunction(function)
    cached = decorate(function)
    assert inspect.iscoroutinefunction(cached)
    assert asyncio_says(cached)

    async def main():
        first = await cached(21)
        assert first == [42]
        assert await cached(21) is first
        together = await asyncio.gather(*(cached(4) for _ in range(3)))
        assert all(result is together[0] for result in together)

    asyncio.run(main())
    assert cached.cache_info()[:2] == (3, 2)


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS.keys())
@pytest.mark.parametrize("decorate", [lru_cache, cache, lru_cache(ttl=60)])
def test_what_is_no_coroutine_function_stays_none(make, decorate):
    function = make()
    assert not inspect.iscoroutinefunction(function)
    cached = decorate(function)
    assert not inspect.iscoroutinefunction(cached)
    assert type(cached) is tamis._core.lru_cache_wrapper


@pytest.mark.parametrize("make", [HasFunc, lambda: spoken_for(double), lambda: plain, lambda: wrapped_partial()])
def test_results_of_what_only_refers_to_a_coroutine_function_are_results(make):
    cached = lru_cache(make())
    assert cached(21) == cached(21) == 42
    assert cached.cache_info()[:2] == (1, 1)


@pytest.mark.parametrize("make", COROUTINE_FUNCTIONS.values(), ids=COROUTINE_FUNCTIONS.keys())
def test_a_cache_tells_of_its_function_and_not_of_what_is_wrapped_around_the_cache(make):
    function = make()
    cached = lru_cache(function)
    of_function = getattr(function, "__dict__", {})
    assert not vars(cached).keys() & {"__code__", "__defaults__", "__kwdefaults__"}
    assert ("_is_coroutine_marker" in vars(cached)) is ("_is_coroutine_marker" in of_function)

    @functools.wraps(cached)
    def above(*args, **kwargs):
        return 1

    # As functools has it: the mark of a marked function goes along, and nothing else does.
    assert inspect.iscoroutinefunction(above) is (MARKS and "_is_coroutine_marker" in of_function)
    assert inspect.iscoroutinefunction(above) is inspect.iscoroutinefunction(
        functools.wraps(functools.lru_cache(function))(lambda: 1)
    )


@pytest.mark.parametrize("make", COROUTINE_FUNCTIONS.values(), ids=COROUTINE_FUNCTIONS.keys())
def test_what_is_made_of_a_cache_is_a_coroutine_function_too(make):
    cached = lru_cache(make())

    class Thing:
        method = cached
        of_class = classmethod(cached)
        static = staticmethod(cached)
        bound_first = functools.partialmethod(cached, 1)

    for function in (
        functools.partial(cached, 1),
        functools.partial(functools.partial(cached, 1), 2),
        Thing.method,
        Thing().method,
        Thing.of_class,
        Thing().of_class,
        Thing.static,
        Thing().static,
        Thing().bound_first,
        functools.partial(Thing().method, 1),
    ):
        assert inspect.iscoroutinefunction(function), function
        assert asyncio_says(function)
    if sys.version_info >= (3, 13):
        assert inspect.iscoroutinefunction(vars(Thing)["bound_first"])
        assert inspect.iscoroutinefunction(Thing.bound_first)
    assert isinstance(Thing().method, types.MethodType)


def test_cached_methods_are_coroutine_functions_where_their_functions_are():
    class Thing:
        @cached_method
        async def one(self, x):
            return [x]

        @cached_method
        @classmethod
        async def of_class(cls, x):
            return [x]

        @cached_method
        @staticmethod
        async def static(x):
            return [x]

        @cached_method
        def other(self, x):
            return [x]

        if MARKS:

            @cached_method
            @inspect.markcoroutinefunction
            def marked(self, x):
                return self.one(x)

    thing = Thing()
    names = ["one", "of_class", "static", *(["marked"] if MARKS else [])]
    for name in names:
        for function in (getattr(Thing, name), getattr(thing, name), functools.partial(getattr(thing, name), 1)):
            assert inspect.iscoroutinefunction(function), function
            assert asyncio_says(function)
    assert inspect.iscoroutinefunction(Thing.one.cache_for(thing))
    assert not inspect.iscoroutinefunction(Thing.other)
    assert not inspect.iscoroutinefunction(thing.other)
    assert not inspect.iscoroutinefunction(Thing.other.cache_for(thing))
    assert not vars(Thing.one).keys() & FUNCTION_LIKE
    assert not vars(Thing.one.cache_for(thing)).keys() & FUNCTION_LIKE

    async def main():
        for name in names:
            method = getattr(thing, name)
            assert await method(1) == [1]
            assert await method(1) is await method(1)

    asyncio.run(main())


def test_signatures_help_and_unwrap_describe_the_function():
    cached = lru_cache(double)
    assert inspect.signature(cached) == inspect.signature(double)
    assert inspect.unwrap(cached) is double
    assert pydoc.plain(pydoc.render_doc(cached)).splitlines()[2] == "async double(x, /, y=0, *, z=0)"
    assert inspect.getsource(cached) == inspect.getsource(double)
    over_partial = lru_cache(functools.partial(double, 1))
    assert inspect.signature(over_partial) == inspect.signature(functools.partial(double, 1))
    assert str(inspect.signature(over_partial, follow_wrapped=False)) == "(*args, **kwargs)"
    assert over_partial.__name__ == "double"
    assert "__name__" not in vars(over_partial)
    assert lru_cache(Calls().method).__name__ == "method"


def test_an_object_without_a_name_gets_that_of_its_type():
    if not MARKS:
        pytest.skip("inspect can't mark objects before 3.12")
    cached = lru_cache(marked(Forwards()))
    assert cached.__name__ == "Forwards"
    assert "__name__" not in vars(cached)


def test_attributes_of_a_cache_can_be_set_and_deleted_as_others_can():
    cached = lru_cache(double)
    assert cached.__code__ is double.__code__
    assert cached.__kwdefaults__ == {"z": 0}
    cached.__name__ = "twice"
    assert cached.__name__ == "twice" == vars(cached)["__name__"]
    cached.__defaults__ = (1,)
    assert cached.__defaults__ == (1,)
    del cached.__defaults__
    assert cached.__defaults__ == (0,)
    with pytest.raises(AttributeError, match="__defaults__"):
        del cached.__defaults__
    if MARKS:
        assert inspect.markcoroutinefunction(cached) is cached
        assert "_is_coroutine_marker" in vars(cached)
    assert inspect.iscoroutinefunction(cached)


@for_marked_functions
def test_a_mark_that_inspect_does_not_go_by_makes_no_coroutine_function():
    function = functools.partial(plain)
    marked(function)
    assert not inspect.iscoroutinefunction(function)
    cached = lru_cache(function)
    assert not inspect.iscoroutinefunction(cached)
    assert cached(2) == 4
    assert function._is_coroutine_marker


def test_decorating_what_is_easily_told_imports_nothing():
    shown = run_child("""
        import sys, types
        from tamis import cache, cached_method, lru_cache

        @lru_cache
        def f(x): return x

        @lru_cache(ttl=5)
        async def g(x): return x

        class C:
            def method(self): ...
            @cached_method
            async def other(self): ...

        marked = lambda: 1
        marked.attribute = 1
        for function in (abs, int, C, str.upper, "a".upper, C().method, dict.fromkeys, marked):
            cache(function)
        g(1).close(), f(1), g.cache_info()
        before = "inspect" in sys.modules, "tamis._coroutines" in sys.modules
        print(*before)
    """)
    assert shown == "False False\n"
