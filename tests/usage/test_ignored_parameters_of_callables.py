"""`ignore` with callables that are no functions: partials, methods, objects, classes, caches, packages."""

from __future__ import annotations

import functools
import inspect
import operator
import types
from collections.abc import Callable

import pytest

from helpers.ignore_tools import call, count_keys, injecting, passing_on, profile, refused
from helpers.package_tools import package
from tamis import cache, cached_method, lru_cache


def test_partials():
    def function(a, b, x, *, flag=0):
        return a, b

    assert count_keys(functools.partial(function, 1), "x", call(2, 3), call(2, 4), call(3, 3)) == 2
    assert count_keys(functools.partial(function, 1), "b", call(2, 3), call(2, 4), call(3, 3)) == 2
    # It is a keyword argument from here on, and so are those behind it.
    assert count_keys(functools.partial(function, b=2), "x", call(1, x=2), call(1, x=3), call(2, x=3)) == 2
    assert count_keys(functools.partial(function, b=2), "b", call(1, x=2), call(1, b=4, x=2), call(2, x=2)) == 2
    assert count_keys(functools.partial(functools.partial(function, 1), 2), "x", call(1), call(2)) == 1
    assert count_keys(functools.partial(function, 1, x=2), "flag", call(1), call(1, flag=2), call(2)) == 2
    with pytest.raises(ValueError, match="no parameter"):
        lru_cache(ignore="a")(functools.partial(function, 1))
    # It shows the function's own signature.
    wrapped = functools.update_wrapper(functools.partial(function, 1), function)
    for name in ("a", "b", "x"):
        refused(wrapped, name)
    assert count_keys(wrapped, "flag", call(2, 3), call(2, 3, flag=1)) == 1
    refused(functools.partial(profile), "session")
    refused(functools.partial(injecting(function), 1), "x")


@pytest.mark.skipif(not hasattr(functools, "Placeholder"), reason="functools.Placeholder came with 3.14")
def test_partials_with_places_left_open():
    def function(a, x, b):
        return a, b

    made = functools.partial(function, functools.Placeholder, 2)
    assert count_keys(made, "a", call(1, 2), call(2, 2), call(1, 3)) == 2
    assert count_keys(made, "b", call(1, 2), call(1, 3), call(2, 2)) == 2


def test_methods_and_callable_objects():
    class Thing:
        def method(self, a, x):
            return a

        @injecting
        def injected(session, self, a):
            return a

        @classmethod
        def of_class(cls, a, x):
            return a

        @staticmethod
        def static(a, x):
            return a

        def collecting(*args):
            return args[1]

        def __call__(self, a, x):
            return a

    thing = Thing()
    calls = call(1, 2), call(1, 3), call(2, 2)
    for function in (thing.method, Thing.of_class, thing.of_class, Thing.static, thing, vars(Thing)["static"]):
        assert count_keys(function, "x", *calls) == 2
    assert count_keys(thing.collecting, "args", *calls) == 1
    refused(thing.injected, "a")
    refused(thing.injected, "self")
    with pytest.raises(ValueError, match="no parameter"):
        lru_cache(ignore="self")(thing.method)
    with pytest.raises(ValueError, match="looked up"):
        lru_cache(ignore="a")(types.MethodType(lambda *, a: a, thing))


def test_an_object_that_wraps_a_function_is_refused_unless_it_takes_the_same():
    class Decorator:
        def __init__(self, function):
            functools.update_wrapper(self, function)

        def __call__(self, *args, **kwargs):
            return self.__wrapped__("session", *args, **kwargs)

    class Same(Decorator):
        def __call__(self, a, x):
            return self.__wrapped__(a, x)

    refused(Decorator(lambda session, a: a), "session")
    assert count_keys(Same(lambda a, x: a), "x", call(1, 2), call(1, 3), call(2, 2)) == 2


def test_classes():
    class Plain:
        def __init__(self, a, x=0):
            self.a = a

    class Injected:
        @injecting
        def __init__(session, self, a):
            self.a = a

    class WithNew:
        def __new__(cls, a, x=0):
            return super().__new__(cls)

    class Told:
        def __init__(self, *args, **kwargs): ...

        __signature__ = inspect.signature(lambda x, a: 0)

    class Named(Plain):
        pass

    calls = call(1, 2), call(1, 3), call(2, x=3), call(1)
    for kind in (Plain, WithNew, Named):
        assert count_keys(kind, "x", *calls) == 2
    refused(Injected, "a")
    refused(Told, "x")


def test_functions_of_c():
    assert count_keys(divmod, "y", call(1, 2), call(1, 3), call(2, 2)) == 2
    assert count_keys(sorted, "reverse", call((1, 2)), call((1, 2), reverse=True), call((2, 1))) == 2
    assert count_keys(operator.add, "b", call(1, 2), call(1, 3)) == 1
    with pytest.raises(ValueError, match="looked up"):
        lru_cache(ignore="x")(getattr)


@pytest.mark.parametrize("inner", [lru_cache, cache, functools.lru_cache, functools.cache, lru_cache(ttl=60)])
def test_caches_hand_all_arguments_on(inner):
    @inner
    def function(a, x):
        return a

    assert count_keys(function, "x", call(1, 2), call(1, 3), call(2, 2), call(a=1, x=4)) == 3
    assert count_keys(functools.partial(function, 1), "x", call(2), call(3)) == 1

    class Thing:
        method = function

    assert count_keys(Thing().method, "x", call(2), call(3)) == 1
    refused(inner(profile), "session")


def test_a_cache_that_says_it_wraps_another_function_is_not_believed():
    for inner in (lru_cache, functools.lru_cache):
        function = inner(lambda *args: args)
        functools.update_wrapper(function, lambda session, a: a)
        refused(function, "a")
        del function.__wrapped__
        with pytest.raises(ValueError, match="looked up"):
            lru_cache(ignore="a")(function)


def test_an_object_whose_call_is_cached():
    class Thing:
        @lru_cache
        def __call__(self, a, x):
            return a

    assert count_keys(Thing(), "x", call(1, 2), call(1, 3), call(2, 2)) == 2


def test_decorators_of_packages():
    wrapt, decorator = package("wrapt"), package("decorator")

    def function(session, a):
        return a

    @wrapt.decorator
    def injected(wrapped, instance, args, kwargs):
        return wrapped("session", *args, **kwargs)

    @decorator.decorator
    def called(function, *args, **kwargs):
        return function(*args, **kwargs)

    class Thing:
        @injected
        def method(session, self, a):
            return a

    for made in (injected(function), called(function)):
        refused(made, "session")
        refused(made, "a")
    for made in (Thing().method, injected(Thing().method)):
        refused(made, "self")
        refused(made, "a")
    refused(injected(functools.partial(function)), "a")


def test_coroutine_functions():
    @lru_cache(ignore="x")
    async def function(a, x):
        return a

    @functools.wraps(function)
    async def wrapper(*args, **kwargs):
        return await function("session", *args, **kwargs)

    refused(wrapper, "x")
    with pytest.raises(ValueError, match="no parameter"):
        lru_cache(ignore="y")(function)


def test_cached_methods_go_by_the_function_without_its_instance():
    class Thing:
        @cached_method(ignore="x")
        def method(self, a, x, y=0):
            return [a]

        @cached_method(ignore="args")
        def collecting(self, *args, a=0):
            return [a]

        @cached_method(ignore="args")
        def all_collecting(*args, a=0):
            return [a]

        @cached_method(ignore=("x",))
        @classmethod
        def of_class(cls, a, x):
            return [a]

        @cached_method(ignore=("x",))
        @staticmethod
        def static(a, x):
            return [a]

    thing, other = Thing(), Thing()
    assert thing.method(1, 2) is thing.method(1, 3) is thing.method(1, x=4)
    assert thing.method(1, 2) is not thing.method(1, 2, 3)
    assert thing.method(1, 2) is not other.method(1, 2)
    assert thing.collecting(1) is thing.collecting(2, 3) is not thing.collecting(2, a=1)
    assert thing.all_collecting(1) is thing.all_collecting(2, 3) is not thing.all_collecting(2, a=1)
    assert thing.of_class(1, 2) is Thing.of_class(1, 3)
    assert thing.static(1, 2) is Thing.static(1, 3)
    refuse: Callable[..., object] = cached_method(ignore="a")
    with pytest.raises(ValueError, match="can't tell"):
        refuse(injecting(lambda session, self, a: a))
    with pytest.raises(ValueError, match="can't tell"):
        refuse(passing_on(lambda self, a: a))
