"""Arguments that can't be hashed: functools' error, with a note that says which one it is and what can be done."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import sys

import pytest

from tamis import SieveCache, cache, cached_method, lru_cache


def note_of(call, *args, **kwargs):
    """The note of the error that a call raises."""
    with pytest.raises(TypeError, match="unhashable type") as caught:
        call(*args, **kwargs)
    if sys.version_info < (3, 11):
        assert not hasattr(caught.value, "__notes__")
        pytest.skip("exceptions have notes from Python 3.11 on")
    (note,) = caught.value.__notes__
    return note


def total(first, items=(), *rest, scale=1, **others):
    return first


DECORATORS = [
    lru_cache,
    cache,
    cache(typed=True),
    cache(ttl=60),
    cache(single_flight=True),
    cache(ignore="scale"),
    lru_cache(maxsize=8, on_evict=print),
]


@pytest.mark.parametrize("decorator", DECORATORS)
@pytest.mark.parametrize(
    ("args", "kwargs", "name"),
    [
        (([1],), {}, "argument 'first'"),
        (({},), {}, "argument 'first'"),
        ((1, [2]), {}, "argument 'items'"),
        ((1, (2, ({3},))), {}, "argument 'items'"),
        ((1,), {"items": [2]}, "argument 'items'"),
        ((1, 2, 3, [4]), {}, "positional argument 4"),
        ((1, 2), {"other": [4]}, "argument 'other'"),
        ((1, bytearray(b"x")), {"scale": 2}, "argument 'items'"),
    ],
)
def test_note_names_the_argument_and_the_two_options(decorator, args, kwargs, name):
    note = note_of(decorator(total), *args, **kwargs)
    assert note.startswith("tamis: ")
    for part in (name, "key", "ignore"):
        assert part in note


def test_argument_that_is_ignored_is_not_counted_as_one_that_is_missing():
    f = cache(ignore="first")(total)
    assert f([], 1) == []
    assert "argument 'items'" in note_of(f, [], [1])


def test_the_error_is_functools_own():
    with pytest.raises(TypeError) as theirs:
        functools.lru_cache(total)(1, [2])
    with pytest.raises(TypeError) as ours:
        lru_cache(total)(1, [2])
    assert str(ours.value) == str(theirs.value)
    assert type(ours.value) is type(theirs.value)
    assert ours.value.__context__ is None


def test_key_that_can_not_be_hashed_is_told_from_an_argument():
    f = cache(key=lambda x: [x])(total)
    note = note_of(f, 1)
    assert "option key" in note
    assert "'list'" in note


def test_method_of_what_can_not_be_hashed_names_self_and_cached_method():
    class Basket:
        __hash__ = None

        @lru_cache
        def weight(self, unit):
            return unit

        @cached_method
        def price(self, currency):
            return currency

    note = note_of(Basket().weight, "kg")
    assert "argument 'self'" in note
    assert "cached_method" in note
    assert Basket().price("EUR") == "EUR"


def test_field_that_can_not_be_hashed_is_a_hint_too():
    @dataclasses.dataclass(frozen=True)
    class Point:
        places: list

    assert "an argument can't be hashed" in note_of(lru_cache(total), Point([1]))


@pytest.mark.parametrize("decorator", DECORATORS)
def test_methods_of_the_cache_tell_it_too(decorator):
    f = decorator(total)
    calls = [f.cache_contains, f.cache_invalidate, functools.partial(f.cache_put, "value"), f.cache_refresh]
    for call in calls:
        note = note_of(call, 1, items=[2])
        for part in ("'items'", "key", "ignore"):
            assert part in note


def test_coroutine_function_tells_it_at_the_call():
    @cache
    async def f(items):
        return items

    assert "argument 'items'" in note_of(f, [1])
    assert asyncio.run(f(1)) == 1


def test_partial_and_builtin_functions_have_places_alone():
    assert "positional argument 2" in note_of(cache(max), 1, [2])
    assert "positional argument 1" in note_of(cache(functools.partial(total, 1)), [2])


def test_errors_of_another_kind_stay_as_they_are():
    class Odd:
        def __hash__(self):
            raise error

    for error in (TypeError("not today"), ValueError("unhashable"), KeyboardInterrupt()):
        for f in (cache(total), cache(ttl=5)(total)):
            with pytest.raises(type(error)) as caught:
                f(1, Odd())
            assert caught.value is error
            assert not hasattr(error, "__notes__")

    def body(x):
        return {[]: x}

    with pytest.raises(TypeError) as caught:
        cache(body)(1)
    assert not hasattr(caught.value, "__notes__")


def test_error_that_is_raised_again_does_not_gather_notes():
    error = TypeError("unhashable type: 'Same'")

    class Same:
        def __hash__(self):
            raise error

    f = cache(total)
    for _ in range(3):
        note_of(f, Same())


def test_mapping_raises_what_a_dict_raises():
    c = SieveCache(3)
    for call in (c.__contains__, c.get, c.__getitem__, c.pop):
        with pytest.raises(TypeError) as caught:
            call([])
        assert not hasattr(caught.value, "__notes__")


def test_names_of_functions_that_lie_are_no_matter():
    class Liar:
        __code__ = "none"

        def __call__(self, x):
            return x

    assert "positional argument 1" in note_of(cache(Liar()), [1])
