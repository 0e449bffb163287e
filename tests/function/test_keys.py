"""What makes a key: arguments that meet, arguments that stay apart, and how often they are hashed."""

from __future__ import annotations

import functools
import sys
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tamis
from helpers.key_tools import BIG_PRIME, EVERY_MAXSIZE, EVERY_TYPED, Caseless, Hashed, Modulo7, Text, echo, meet
from tamis import cache, lru_cache

ONES = [1, 1.0, True, 1 + 0j, Decimal(1), Fraction(1)]
EQUALS = [
    *((1, other) for other in ONES),
    (1.0, True),
    (0.0, -0.0),
    (0, -0.0),
    (-1, -1.0),
    (-2, Decimal(-2)),
    (False, 0.0),
    (0.1, Fraction(0.1)),
    (0.5, Decimal("0.5")),
    (-0.75, Fraction(-3, 4)),
    (5e-324, Fraction(5e-324)),
    (2.0**-1050, Decimal(2.0**-1050)),
    (sys.float_info.max, int(sys.float_info.max)),
    (-sys.float_info.max, Fraction(-sys.float_info.max)),
    (2.0**60, 1 << 60),
    (-(2.0**61), -(1 << 61)),
    (1e300, int(1e300)),
    (float("inf"), Decimal("inf")),
    (float("-inf"), complex("-inf")),
    *(
        (sign << bits, int(str(sign << bits)))
        for bits in (29, 30, 59, 60, 61, 64, 119, 120, 121, 300)
        for sign in (1, -1)
    ),
    (b"bytes" * 9, b"".join([b"bytes"] * 9)),
    (("a", (1, (2.0, None))), ("a", (True, (2, None)))),
    ((1, (2, (3, (4, (5, (6, 7.0)))))), (1, (2, (3, (4, (5, (6, 7))))))),
    (frozenset({1, "a"}), frozenset({"a", 1.0})),
    ("text", Text("text")),
    (Caseless("Ab"), Caseless("aB")),
    (Modulo7(9), Modulo7(16)),
    (Hashed(5), Hashed(5)),
]
DIFFERENT = [
    (-1, -2),
    (-1.0, -2.0),
    (-1, -2.0),
    (0, None),
    (False, None),
    ("", None),
    ("", b""),
    ("1", 1),
    ("a", b"a"),
    ((), 0),
    ((1,), 1),
    ((1,), (1, 1)),
    ((-1,), (-2,)),
    ((1, (2, -1)), (1, (2, -2))),
    (("a",), "a"),
    (float("inf"), float("-inf")),
    (float("nan"), float("nan")),
    ((float("nan"),), (float("nan"),)),
    (1, 1 + BIG_PRIME),
    (1 << 60, (1 << 60) + BIG_PRIME),
    (-3, -3 - BIG_PRIME),
    (5 << 100, (5 << 100) + BIG_PRIME),
    (1 << 90, -(1 << 90)),
    (1, 1 << 61),
    (1.0, 2.0**61),
    (1.0, 2.0**-61),
    (2.0**61, 1),
    (3, 3 * 2.0**61),
    (b"bytes", b"bytez"),
    (Caseless("ab"), Caseless("abc")),
    (Modulo7(9), Modulo7(17)),
    (Hashed(5), 5),
]


@EVERY_MAXSIZE
@pytest.mark.parametrize(("one", "other"), EQUALS)
def test_equal_arguments_of_one_hash_meet(one, other, maxsize):
    assert (one == other, hash(one)) == (True, hash(other))
    assert meet(one, other, maxsize=maxsize)


@EVERY_MAXSIZE
@EVERY_TYPED
@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_arguments_stay_apart_even_with_one_hash(one, other, typed, maxsize):
    assert not meet(one, other, typed=typed, maxsize=maxsize)


@pytest.mark.parametrize(("one", "other"), EQUALS)
def test_typed_keeps_equal_arguments_apart_by_their_types_alone(one, other):
    assert meet(one, other, typed=True) is (type(one) is type(other))


@EVERY_TYPED
def test_nan_and_other_objects_that_do_not_equal_themselves_go_by_identity(typed):
    class NeverEqual(Hashed):
        __hash__ = Hashed.__hash__

        def __eq__(self, other: object) -> bool:
            return False

    for key in (float("nan"), Decimal("nan"), (float("nan"), 1), NeverEqual(3)):
        assert meet(key, key, typed=typed)
    assert not meet(NeverEqual(3), NeverEqual(3), typed=typed)


@EVERY_TYPED
@pytest.mark.parametrize("letters", ["ab", "éè", "ΩΣ", "😀😁", "aé", "éΩ", "Ω😀"])
def test_strings_of_every_length_meet_their_copies_and_nothing_else(letters, typed):
    usual, odd = letters
    texts = {usual * length for length in range(41)}
    texts |= {usual * at + odd + usual * (length - at - 1) for length in range(41) for at in range(length)}
    function = lru_cache(maxsize=None, typed=typed)(lambda text: text)
    for text in sorted(texts):
        assert not function.cache_contains(text)
        function(text)
    assert function.cache_info().currsize == len(texts) == 861
    for text in texts:
        assert function("".join(list(text))) == text
    assert function.cache_info()[:2] == (861, 861)


def test_a_str_subclass_whose_eq_differs_is_asked_in_either_place():
    for stored, asked in ((Caseless("ab"), "ab"), ("ab", Caseless("AB"))):
        function = cache(echo)
        function.cache_put("stored", stored, "and another")
        assert function(asked, "and another") == "stored"
    assert not meet(Caseless("AB"), "AB")  # equal, but of another hash


def test_positional_and_keyword_arguments_never_meet():
    function = cache(echo)
    calls = [
        ((), {}), (((),), {}), ((None,), {}), (((), ()), {}), ((1, 2), {}), (((1, 2),), {}), ((1, "a", 2), {}),
        ((1,), {"a": 2}), ((1,), {"b": 2}), (((1,), ("a", 2)), {}), ((("a", 1), ("b", 2)), {}), ((), {"a": 1, "b": 2}),
        ((), {"b": 2, "a": 1}), ((), {"a": 2, "b": 1}), (("a",), {"b": 1}), (("b",), {"a": 1}), ((1, "b"), {"a": 2}),
    ]  # fmt: skip
    for args, kwargs in calls:
        assert function(*args, **kwargs) == (args, kwargs)
    assert function.cache_info() == (0, len(calls), None, len(calls))
    for args, kwargs in calls:
        assert function(*args, **kwargs) == (args, kwargs)
    assert function.cache_info().hits == len(calls)


def test_empty_keywords_are_no_keywords():
    function = cache(echo)
    function.cache_put("stored", 1)
    assert function(1, **{}) == function(*[1], **{}) == "stored"


@EVERY_TYPED
def test_keyword_names_meet_by_value_not_by_object(typed):
    function = cache(echo, typed=typed)
    function.cache_put("stored", 1, some_name=2, other=3)
    for kind in (str, Text):
        names = [kind("".join(["some_", "name"])), kind("".join(["oth", "er"]))]
        assert function(1, **{names[0]: 2, names[1]: 3}) == "stored"
        assert function(1, **{names[1]: 3, names[0]: 2}) != "stored"
        function.cache_invalidate(1, other=3, some_name=2)
    assert function.cache_info().currsize == 1


@EVERY_TYPED
def test_many_arguments_make_a_key_in_which_each_of_them_counts(typed):
    function = lru_cache(maxsize=8, typed=typed)(lambda *args, **kwargs: len(args) + len(kwargs))
    args, kwargs = list(range(300)), {f"k{n}": n for n in range(300)}
    assert function(*args, **kwargs) == function(*args, **kwargs) == 600
    assert function.cache_info() == (1, 1, 8, 1)
    for at in (0, 1, 150, 298, 299):
        assert not function.cache_contains(*args[:at], -5, *args[at + 1 :], **kwargs)
        assert not function.cache_contains(*args, **{**kwargs, f"k{at}": -5})
    assert not function.cache_contains(*args[:299], **kwargs)


@EVERY_MAXSIZE
@EVERY_TYPED
def test_each_argument_is_hashed_once_a_call(maxsize, typed):
    function = lru_cache(maxsize=maxsize, typed=typed)(echo)
    operations = [function, function, functools.partial(function.cache_put, "x"), function.cache_contains,
                  function.cache_refresh, function.cache_invalidate, function.cache_invalidate]  # fmt: skip
    for shape in ("alone", "together"):
        stored = [Hashed(number) for number in (7, 8, 9)]
        for operation in operations:
            keys = [Hashed(number) for number in (7, 8, 9)]
            for arguments in (stored, keys):
                before = [key.hash_calls for key in arguments]
                if shape == "alone":
                    for key in arguments:
                        operation(key)
                else:
                    operation(arguments[0], arguments[1], a=arguments[2])
                assert [key.hash_calls for key in arguments] == [count + 1 for count in before]


@EVERY_MAXSIZE
@EVERY_TYPED
@pytest.mark.parametrize("in_hash", [True, False], ids=["hash", "eq"])
@pytest.mark.parametrize("error", [ValueError("mine"), StopIteration(1), KeyboardInterrupt()])
def test_exceptions_of_hash_and_eq_pass_unchanged_and_leave_the_cache_as_it_was(maxsize, typed, in_hash, error):
    function = lru_cache(maxsize=maxsize, typed=typed)(echo)
    good, bad = Hashed(3), Hashed(3, error, in_hash=in_hash)
    function.cache_put("alone", good)
    function.cache_put("together", good, a=good)
    operations = [
        function,
        function.cache_contains,
        function.cache_invalidate,
        functools.partial(function.cache_put, 1),
    ]
    for operation in operations:
        for args, kwargs in (((bad,), {}), ((good,), {"a": bad}), ((bad,), {"a": good})):
            with pytest.raises(type(error)) as raised:
                operation(*args, **kwargs)
            assert raised.value is error
            assert error.__context__ is None
    assert (function(good), function(good, a=good)) == ("alone", "together")
    assert function.cache_info() == (2, 0, maxsize, 2)


@EVERY_MAXSIZE
def test_unhashable_arguments_raise_what_functools_raises(maxsize):
    for args, kwargs in ((([],), {}), ((1, {}), {}), ((), {"a": set()}), (((1, []),), {})):
        messages = []
        for module in (functools, tamis):
            function = module.lru_cache(maxsize=maxsize)(echo)
            with pytest.raises(TypeError) as raised:
                function(*args, **kwargs)
            messages.append(str(raised.value))
            assert function.cache_info() == (0, 0, maxsize, 0)
        assert messages[0] == messages[1]


def test_a_truth_value_that_eq_returns_and_that_raises_passes_unchanged():
    class NoTruth:
        def __bool__(self) -> bool:
            raise LookupError("no truth")

    class Vague(Hashed):
        __hash__ = Hashed.__hash__

        def __eq__(self, other: object) -> Any:
            return NoTruth()

    function = cache(echo)
    function(Vague(1))
    with pytest.raises(LookupError, match="no truth"):
        function(Vague(1))


def number_in_other_types(number: Any) -> list[Any]:
    """Return the objects of other types that equal this number."""
    others = [Decimal(number), complex(number)]
    if number - number == 0:
        others.append(Fraction(number))
    if number == number // 1:
        others += [int(number), float(number)]
    return [other for other in others if other == number]


@settings(max_examples=300)
@given(number=st.floats(allow_nan=False) | st.floats(min_value=-1e20, max_value=1e20).map(float.__round__).map(float))
def test_a_float_meets_every_number_that_equals_it(number):
    for other in number_in_other_types(number):
        assert hash(number) == hash(other)
        assert meet(number, other)


@settings(max_examples=300)
@given(
    number=st.integers()
    | st.integers(-(1 << 1000), 1 << 1000)
    | st.builds(lambda n, bits: n << bits, st.integers(-9, 9), st.integers(0, 900))
)
def test_an_int_meets_every_number_that_equals_it(number):
    for other in number_in_other_types(number):
        assert meet(number, other)
    assert not meet(number, number + BIG_PRIME)
    assert meet(number, int(str(number)), typed=True)


@settings(max_examples=200)
@given(text=st.text() | st.text(max_size=3), blob=st.binary())
def test_texts_and_bytes_meet_their_copies(text, blob):
    copies = [text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass"), Text(text)]
    assert all(meet(text, copied) for copied in copies)  # among others
    assert meet(blob, bytes(bytearray(blob)), typed=True)
    assert meet((text, (blob, 1)), (copies[0], (bytes(bytearray(blob)), 1.0)))
