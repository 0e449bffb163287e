"""The name of a region that is given none: another for what differs, the same for what is the same, everywhere."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import region_cases
from helpers.region_cases import over
from helpers.region_groups import GROUPS
from helpers.subprocess_tools import printed_with_seeds
from tamis._identity.region_name import region_name

WARNINGS_ARE_ERRORS = ("-W", "error")


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """The names that three processes give to all cases: a list of their three names for each."""
    folder = tmp_path_factory.mktemp("cases")
    region_cases.write(folder)
    code = "import sys; from helpers import region_cases; region_cases.print_names(sys.argv[1])"
    return list(zip(*printed_with_seeds(code, str(folder), options=WARNINGS_ARE_ERRORS), strict=True))


def test_callable_has_one_name_in_all_processes(names):
    cases = region_cases.expressions()
    assert len(names) == len(cases)
    differing = [case for case, each in zip(cases, names, strict=True) if len(set(each)) != 1]
    assert not differing


@pytest.mark.parametrize("group", GROUPS)
def test_callables_that_differ_have_different_names(names, group):
    met: dict[str, str] = {}
    for (of_group, expression), (name, *_) in zip(region_cases.expressions(), names, strict=True):
        if of_group == group:
            assert name not in met, f"{expression} is taken for {met[name]}"
            met[name] = expression


def test_name_can_be_read():
    assert region_name(len).startswith("builtins.len-")
    assert region_name(over(1)).startswith("helpers.region_cases.over.<locals>.f-")
    assert region_name(region_cases.timed(over(1))) != region_name(over(1))


# ---- any values -----------------------------------------------------------------------------------------------------

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from([0.0, -0.0, 1.0, 2.0, float("nan"), 1j, 0j])
    | st.sampled_from(["", "a", "b", b"", b"a", region_cases.Text("a"), region_cases.Number(1), region_cases.Level.LOW])
)
HASHABLE = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2).map(tuple) | st.frozensets(inner, max_size=2), max_leaves=4
)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(HASHABLE, inner, max_size=2)
    | st.sets(HASHABLE, max_size=2)
    | inner.map(region_cases.Point),
    max_leaves=6,
)


def shape(value: object) -> object:
    """A form that is equal exactly for values of one type and one content, whatever the order of sets."""
    kind = type(value).__name__
    if isinstance(value, float):
        return kind, struct.pack("<d", value)
    if isinstance(value, complex):
        return kind, struct.pack("<dd", value.real, value.imag)
    if isinstance(value, tuple | list):
        return kind, [shape(item) for item in value]
    if isinstance(value, set | frozenset):
        return kind, sorted(repr(shape(item)) for item in value)
    if isinstance(value, dict):
        return kind, [(shape(key), shape(item)) for key, item in value.items()]
    if isinstance(value, region_cases.Point):
        return kind, shape(value.x)
    return kind, repr(value)


@given(VALUES, VALUES)
def test_functions_over_any_values_share_exactly_where_the_values_are_the_same(a, b):
    assert (region_name(over(a)) == region_name(over(b))) == (shape(a) == shape(b))
    assert (
        region_name(region_cases.timed(region_cases.default(a)))
        == region_name(region_cases.timed(region_cases.default(b)))
    ) == (shape(a) == shape(b))


def print_random() -> None:
    """Print the names of functions that are built at random, always the same ones. Runs in a child."""
    import functools
    import random

    from helpers import region_cases as cases
    from tamis._identity.region_name import region_name

    choose = random.Random(20).choice
    number = random.Random(21).random

    def value(depth):
        kind = choose("isfbtdloeUCP" if depth else "isfb")
        if kind in "isfb":
            return {"i": int(number() * 9), "s": f"text {number():.2f}", "f": number(), "b": number() < 0.5}[kind]
        items = [value(depth - 1) for _ in range(int(number() * 5))]
        hashable = [item for item in items if type(item).__hash__ and not isinstance(item, tuple | cases.Point)]
        return {
            "t": tuple(items),
            "d": {f"key {at}": item for at, item in enumerate(items)},
            "l": items,
            "o": cases.Point(items),
            "e": cases.Colour.RED,
            "U": set(hashable),
            "C": frozenset(hashable),
            "P": cases.Plain(b=items, a=set(hashable)),
        }[kind]

    def function(depth):
        makers = [cases.over, cases.default, cases.by_name, lambda v: functools.partial(print, v)]
        made = choose(makers)(value(3))
        wrappers = [cases.timed, cases.helped, cases.named(value(1)), cases.Decorator, functools.partial]
        for _ in range(depth):
            made = choose(wrappers)(made)
        return made

    for turn in range(400):
        print(region_name(function(turn % 4)))


def test_functions_built_at_random_have_one_name_in_all_processes_and_no_other_function_has_it():
    import inspect

    code = inspect.getsource(print_random) + "\nprint_random()"
    first, second, third = printed_with_seeds(code, options=WARNINGS_ARE_ERRORS)
    assert first == second == third
    assert len(set(first)) > 0.95 * len(first)


# ---- what is one object here and several there -----------------------------------------------------------------------


def test_strings_that_are_one_object_or_two_are_the_same_value():
    text = "some text"
    other = "".join(["some ", "text"])
    assert text is not other
    for wrap in (list, tuple, region_cases.Point, lambda pair: {"a": pair[0], "b": pair[1]}):
        assert region_name(over(wrap([text, text]))) == region_name(over(wrap([text, other])))


def test_immutable_objects_that_are_one_or_two_are_the_same_value():
    import decimal

    one = decimal.Decimal("1.5")
    assert region_name(over([one, one])) == region_name(over([one, decimal.Decimal("1.5")]))


def test_order_in_which_attributes_were_set_says_nothing():
    assert region_name(region_cases.Plain(a=1, b=2)) == region_name(region_cases.Plain(b=2, a=1))


def test_what_a_cached_property_has_kept_says_nothing():
    import functools

    class Settings:
        @functools.cached_property
        def table(self):
            return object()

    settings = Settings()
    before = region_name(over(settings))
    assert settings.table
    assert region_name(over(settings)) == before


def test_large_data_is_named_fast_enough_to_be_used():
    data = {f"key {number}": [number, float(number), {number}] for number in range(100_000)}
    assert region_name(over(data)) == region_name(over(dict(data)))


def test_set_in_any_order_gives_one_name():
    items = [f"item {number}" for number in range(100)]
    shuffled = random.Random(1).sample(items, len(items))
    for wrap in (set, frozenset, lambda items: [set(items)], lambda items: region_cases.Items(items)):
        assert region_name(over(wrap(items))) == region_name(over(wrap(shuffled)))
