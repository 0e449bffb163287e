"""key and ignore: what makes the key."""

from __future__ import annotations

import pytest

from helpers.option_tools import fresh_list
from tamis import cache


def test_key_takes_the_place_of_the_arguments():
    calls = []

    @cache(key=lambda user, *rest, **more: user["id"])
    def f(user, *rest, **more):
        calls.append(user)
        return user["name"]

    assert f({"id": 1, "name": "a"}) == f({"id": 1, "name": "b"}, 2, three=3) == "a"
    assert f({"id": 2, "name": "c"}) == "c"
    assert f.cache_contains({"id": 2})
    assert f.cache_invalidate({"id": 1}) is True
    assert f({"id": 1, "name": "d"}) == "d"
    with pytest.raises(KeyError):
        f({})
    with pytest.raises(TypeError, match="unhashable"):
        cache(key=lambda x: [])(fresh_list)(1)


def test_ignored_parameter_is_left_out_however_it_is_given():
    calls = []

    @cache(ignore=["verbose", "log"])
    def f(a, verbose=False, b=0, *, log=None, c=0):
        calls.append((a, b, c))
        return len(calls)

    assert f(1) == f(1, True) == f(1, verbose=True) == f(1, log=print) == f(1, False, log=1) == 1
    assert f(1, True, 2) == f(1, False, 2, log=3) == 2
    assert f(1, c=5) == f(1, verbose=True, c=5, log=1) == f(1, log=7, c=5) == 3
    assert f(1, b=2) == f(1, verbose=0, b=2) == 4
    assert calls == [(1, 0, 0), (1, 2, 0), (1, 0, 5), (1, 2, 0)]


def test_collected_arguments_can_be_ignored():
    f = cache(ignore=("rest", "more"))(lambda a, *rest, b=0, **more: object())
    assert f(1) is f(1, 2, 3) is f(1, c=4) is f(1, 2, d=5, e=6)
    assert f(1, b=1) is f(1, 9, b=1, c=3)
    assert f(1) is not f(1, b=1)


def test_ignoring_self_makes_a_method_share_its_results():
    class Reader:
        @cache(ignore="self")
        def read(self, path):
            return object()

    assert Reader().read("a") is Reader().read("a")
    assert Reader().read("a") is not Reader().read("b")


@pytest.mark.parametrize(
    ("ignore", "function"), [("nope", lambda a: a), (["a", "nope"], lambda a: a), ("x", dict.fromkeys), ("x", type)]
)
def test_ignore_names_parameters_of_the_function(ignore, function):
    with pytest.raises(ValueError, match="ignore"):
        cache(ignore=ignore)(function)


def test_ignored_names_may_come_from_an_iterator():
    f = cache(ignore=iter(["a"]))(lambda a, b: object())
    assert f(1, 2) is f(2, 2)
    with pytest.raises(KeyboardInterrupt):
        cache(ignore=(1 / 0 if False else raises(KeyboardInterrupt) for _ in "a"))


def raises(error):
    raise error
