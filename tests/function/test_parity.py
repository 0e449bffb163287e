"""tamis beside functools: the same calls make the same results, errors, counts and attributes."""

from __future__ import annotations

import enum
import functools
import inspect
import itertools
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tamis
from helpers.key_tools import BIG_PRIME, EVERY_MAXSIZE, EVERY_TYPED, Caseless, Hashed, Modulo7, Text, echo

NAN = float("nan")
UNHASHABLE = Hashed(0, ArithmeticError("not today"), in_hash=True)
ODD = [
    *(
        0,
        1,
        True,
        False,
        1.0,
        0.0,
        -0.0,
        -1,
        -2,
        -1.0,
        1j,
        1 + 0j,
        None,
        NAN,
        "",
        b"",
        "a",
        Text("a"),
        Caseless("A"),
        b"a",
    ),
    *(Decimal(1), Fraction(1), Fraction(1, 2), 0.5, 1 << 61, BIG_PRIME, BIG_PRIME + 1, -(1 << 61), 2.0**61, int, str),
    *((), (1,), (1.0,), (True, "a"), (1, "a"), (NAN,), ((1,), ("a", 2)), frozenset(), frozenset({1})),
    *(Hashed(1), Hashed(1), Hashed(2), Modulo7(1), Modulo7(8), UNHASHABLE, [], {}, (1, [])),
]
# By number, since Hypothesis hashes what it samples from.
ODD_VALUES = st.integers(0, len(ODD) - 1).map(lambda number: ODD[number])
VALUES = ODD_VALUES | st.integers() | st.floats() | st.text(max_size=3) | st.tuples(st.integers(0, 2), st.booleans())


@st.composite
def functions(draw: st.DrawFn) -> Any:
    """Make a function with any kind of parameters, which returns all that it got, each object by itself.

    Its first parameter gets a constant in each call: what sets functools apart is a lone argument.
    """
    parameters, returned = ["_first", "/"], []
    defaults = False
    for kind, limit in (("p", 2), ("n", 2)):
        for number in range(draw(st.integers(0, limit))):
            defaults = defaults or draw(st.booleans())
            name = f"{kind}{number}"
            parameters.insert(len(parameters) - (kind == "p"), f"{name}={number}" if defaults else name)
            returned.append(name)
    if draw(st.booleans()):
        parameters.append("*rest")
        returned.append("*rest")
    keyword_only = [
        f"k{number}={number}" if draw(st.booleans()) else f"k{number}" for number in range(draw(st.integers(0, 2)))
    ]
    if keyword_only:
        parameters += keyword_only if "*rest" in parameters else ["*", *keyword_only]
        returned += [name[:2] for name in keyword_only]
    if draw(st.booleans()):
        parameters.append("**more")
        returned += ["*more", "*more.values()"]
    namespace: dict[str, Any] = {}
    exec(f"def function({', '.join(parameters)}) -> list: 'Doc.'; return [{', '.join(returned)}]", namespace)
    namespace["function"].attribute = returned
    return namespace["function"]


@st.composite
def calls_of(draw: st.DrawFn, function: Any) -> tuple[list[Any], dict[str, Any]]:
    """Make arguments, which mostly suit the function."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    args, kwargs = [], {}
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            args += draw(st.lists(VALUES, max_size=3))
        elif parameter.kind is parameter.VAR_KEYWORD:
            kwargs.update(
                draw(st.dictionaries(st.sampled_from(["x", "y", "args", "self", "value"]), VALUES, max_size=3))
            )
        elif parameter.default is not parameter.empty and draw(st.booleans()):
            continue
        elif parameter.kind is parameter.POSITIONAL_ONLY or (
            parameter.kind is parameter.POSITIONAL_OR_KEYWORD and not kwargs and draw(st.booleans())
        ):
            args.append(draw(VALUES))
        else:
            kwargs[parameter.name] = draw(VALUES)
    if draw(st.integers(0, 5)) == 0:
        args += draw(st.lists(VALUES, max_size=2))
        kwargs.update(draw(st.dictionaries(st.sampled_from(["n0", "p0", "k0", "_first", "z"]), VALUES, max_size=2)))
    return args, dict(draw(st.permutations(list(kwargs.items()))))


def outcome(function: Any, args: list[Any], kwargs: dict[str, Any]) -> list[Any]:
    """Return what comes of the call, as identities of objects and as text."""
    try:
        return [id(item) for item in function("first", *args, **kwargs)]
    except ArithmeticError as error:
        return [id(error), error.__context__]
    except TypeError as error:
        return [type(error), str(error), error.__context__]


@EVERY_TYPED
@pytest.mark.parametrize("maxsize", [None, 1000])
@settings(max_examples=300)
@given(data=st.data())
def test_any_calls_of_any_function_go_as_with_functools(data, typed, maxsize):
    function = data.draw(functions())
    theirs = functools.lru_cache(maxsize=maxsize, typed=typed)(function)
    ours = tamis.lru_cache(maxsize=maxsize, typed=typed)(function)
    calls = data.draw(st.lists(calls_of(function), min_size=1, max_size=5))
    for at in [*range(len(calls)), *data.draw(st.lists(st.integers(0, len(calls) - 1), max_size=6))]:
        args, kwargs = calls[at]
        assert outcome(ours, args, kwargs) == outcome(theirs, args, kwargs)
        assert ours.cache_info() == theirs.cache_info()
    assert ours.cache_parameters() == theirs.cache_parameters()
    assert {**vars(ours), "cache_parameters": None} == {**vars(theirs), "cache_parameters": None}
    assert inspect.signature(ours) == inspect.signature(theirs)
    ours.cache_clear()
    theirs.cache_clear()
    assert ours.cache_info() == theirs.cache_info() == (0, 0, maxsize, 0)


@EVERY_TYPED
@EVERY_MAXSIZE
@settings(max_examples=60)
@given(keys=st.lists(st.integers(0, 5), max_size=20))
def test_keys_whose_eq_raises_fail_the_same_calls_as_with_functools(keys, typed, maxsize):
    objects = [Hashed(number // 2, ArithmeticError("not equal to anything")) for number in range(6)]
    theirs = functools.lru_cache(maxsize=maxsize, typed=typed)(lambda first, key: [key])
    ours = tamis.lru_cache(maxsize=maxsize, typed=typed)(lambda first, key: [key])
    for key in keys:
        assert outcome(ours, [objects[key]], {}) == outcome(theirs, [objects[key]], {})
        assert ours.cache_info() == theirs.cache_info()


class Number(enum.IntEnum):
    ONE = 1


BIG = 1 << 200
LONE = [1, True, 1.0, 1 + 0j, Decimal(1), Number.ONE, Modulo7(8), -1, -1.0, -2, -2.0, 2**61, 2.0**61, BIG, float(BIG)]
LONE += [
    Modulo7(BIG),
    "a",
    Text("a"),
    "é" * 40,
    Text("é" * 40),
    Caseless("a"),
    None,
    b"a",
    (1,),
    (True,),
    ("a",),
    float("nan"),
]


@pytest.mark.parametrize("options", [{}, {"ttl": 60}, {"ignore": "unused"}, {"single_flight": True}, {"typed": True}])
@EVERY_MAXSIZE
def test_lone_arguments_share_an_entry_exactly_where_they_do_in_functools(options, maxsize):
    def function(argument, unused=None):
        return [argument]

    typed = options.get("typed", False)
    for one, other in itertools.product(LONE, LONE):
        ours = tamis.lru_cache(maxsize, **options)(function)
        theirs = functools.lru_cache(maxsize, typed)(function)
        # Three times: the second and the third find another entry of the same hash before their own.
        for argument in (one, other, one, other):
            assert type(ours(argument)[0]) is type(theirs(argument)[0])
            assert ours.cache_info() == theirs.cache_info(), (one, other)
        assert ours.cache_contains(other)
        assert ours.cache_invalidate(one)
        assert ours.cache_info().currsize == theirs.cache_info().currsize - 1


@EVERY_TYPED
@settings(max_examples=60)
@given(
    calls=st.lists(
        st.tuples(st.sampled_from(LONE), st.sampled_from([(), (1,), (True,)]), st.sampled_from([{}, {"k": 1}])),
        max_size=30,
    ),
    maxsize=st.sampled_from([None, 200]),
)
def test_programs_of_calls_have_functools_counts(calls, typed, maxsize):
    ours = tamis.lru_cache(maxsize, typed)(echo)
    theirs = functools.lru_cache(maxsize, typed)(echo)
    for first, more, named in calls:
        assert ours(first, *more, **named) is not None
        theirs(first, *more, **named)
        assert ours.cache_info() == theirs.cache_info()
