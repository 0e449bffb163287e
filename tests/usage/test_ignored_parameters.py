"""`ignore` goes by the parameters of what is called, and refuses where another signature is shown."""

from __future__ import annotations

import functools
import inspect

import pytest

from helpers.ignore_tools import call, count_keys, injecting, passing_on, profile, refused
from tamis import lru_cache


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


def test_names_that_are_no_parameters_are_refused_as_before():
    for function in (lambda a, x: a, divmod, profile):
        with pytest.raises(ValueError, match="ignore names 'other', which is no parameter"):
            lru_cache(ignore="other")(function)
