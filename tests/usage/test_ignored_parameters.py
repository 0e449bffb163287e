"""`ignore` goes by the parameters of what is called, and refuses where another signature is shown."""

from __future__ import annotations

import functools
import inspect
import operator
import types
from collections.abc import Callable

import pytest

from helpers.package_tools import package
from tamis import cache, cached_method, lru_cache


def injecting(function):
    """Call the function with one argument more, in front."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function("session", *args, **kwargs)

    return wrapper


def passing_on(function):
    """Call the function with the same arguments."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def refused(function, name):
    with pytest.raises(
        ValueError, match=f"ignore can't tell which arguments are for {name!r}.*below that decorator.*key="
    ):
        lru_cache(ignore=name)(function)


def count_keys(function, ignore, *calls):
    """How many entries these calls make, each a call's positional and keyword arguments."""
    cached = lru_cache(ignore=ignore)(function)
    for args, kwargs in calls:
        cached(*args, **kwargs)
    return cached.cache_info().currsize


def call(*args, **kwargs):
    return args, kwargs


@injecting
def profile(session, name):
    return f"{name} by {session}"


def test_an_injected_argument_moves_no_other_out_of_the_key():
    refused(profile, "session")
    refused(profile, "name")
    # As the message says: by a key, or below the decorator.
    by_key = lru_cache(key=lambda name: name)(profile)
    assert (by_key("ann"), by_key("bob")) == ("ann by session", "bob by session")

    @injecting
    @lru_cache(ignore="session")
    def below(session, name):
        return f"{name} by {session}"

    assert (below("ann"), below("bob"), below("ann")) == ("ann by session", "bob by session", "ann by session")


def test_the_error_names_both_signatures():
    with pytest.raises(ValueError, match=r"\(session, name\).*takes \(\*args, \*\*kwargs\) itself"):
        lru_cache(ignore="session")(profile)


def test_a_wrapper_that_could_have_passed_all_on_is_refused_too():
    # Nothing tells it from one that does not.
    @passing_on
    def function(a, x):
        return a

    refused(function, "x")
    refused(function, "a")


def test_a_wrapper_with_the_parameters_of_the_function_is_taken():
    def function(a, x, *, flag=False):
        return a

    @functools.wraps(function)
    def wrapper(a, x, *, flag=False):
        return function(a, x, flag=flag)

    assert count_keys(wrapper, "x", call(1, 2), call(1, 3), call(2, 2), call(1, x=4)) == 2
    assert count_keys(wrapper, ("x", "flag"), call(1, 2), call(1, 3, flag=True), call(2, 2)) == 2


def test_a_parameter_that_stands_at_the_same_place_is_taken_and_others_are_refused():
    def function(a, b, x):
        return a

    @functools.wraps(function)
    def wrapper(a, x, *rest):
        return function(a, *rest, x)

    assert count_keys(wrapper, "a", call(1, 2, 3), call(2, 2, 3), call(1, 2, 4)) == 2
    refused(wrapper, "x")
    refused(wrapper, "b")
    refused(wrapper, "rest")


def test_a_parameter_that_only_the_wrapper_has_is_refused():
    def function(a):
        return a

    @functools.wraps(function)
    def wrapper(session, a):
        return function(a)

    refused(wrapper, "session")
    refused(wrapper, "a")


@pytest.mark.parametrize(
    "wrapper",
    [lambda x, /, a: a, lambda a, *, x=0: a, lambda *x: x, lambda a, **x: a],
    ids=["by position alone", "by keyword alone", "collecting", "collecting keywords"],
)
def test_a_parameter_of_another_kind_is_refused(wrapper):
    refused(functools.wraps(lambda x, a: a)(wrapper), "x")


def test_keyword_only_parameters_have_no_place_that_could_be_wrong():
    @passing_on
    def function(a, *, x=0):
        return a

    assert count_keys(function, "x", call(1), call(1, x=2), call(1, x=3), call(2, x=2)) == 2

    @functools.wraps(lambda a, x=0: a)
    def by_keyword_alone(**kwargs):
        return kwargs["a"]

    assert count_keys(by_keyword_alone, "x", call(a=1), call(a=1, x=2), call(x=3, a=1), call(a=2)) == 2

    @functools.wraps(lambda x, /, a: a)
    def other(**kwargs):
        return kwargs["a"]

    refused(other, "x")


def test_what_collects_arguments_is_taken_where_both_signatures_collect_the_same():
    @passing_on
    def function(*args, **kwargs):
        return args, kwargs

    assert count_keys(function, "args", call(1, a=1), call(2, 3, a=1), call(a=2)) == 2
    assert count_keys(function, "kwargs", call(1, a=1), call(1), call(2, a=2)) == 2

    @passing_on
    def named(a, *args, b=0, **kwargs):
        return a, args, b, kwargs

    refused(named, "args")
    refused(named, "kwargs")
    assert count_keys(named.__wrapped__, "args", call(1, 2), call(1, 3, 4), call(2)) == 2
    assert count_keys(named.__wrapped__, "kwargs", call(1, c=2), call(1, d=3), call(1, b=2), call(a=1)) == 3


def test_a_signature_that_is_told_is_not_believed():
    def function(*args, **kwargs):
        return args

    function.__signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("x", "a")]
    )
    refused(function, "x")

    def swapped(a, x):
        return a

    swapped.__signature__ = function.__signature__
    refused(swapped, "x")

    class Called:
        __signature__ = function.__signature__

        def __call__(self, *args, **kwargs):
            return args

    refused(Called(), "x")

    def same(x, a):
        return a

    same.__signature__ = function.__signature__
    assert count_keys(same, "x", call(1, 2), call(3, 2)) == 1


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


def test_names_that_are_no_parameters_are_refused_as_before():
    for function in (lambda a, x: a, divmod, profile):
        with pytest.raises(ValueError, match="ignore names 'other', which is no parameter"):
            lru_cache(ignore="other")(function)
