"""The bytes of values in shared caches: what comes back."""

from __future__ import annotations

import datetime
import decimal
import pickle
import random
import threading
from collections import OrderedDict

import pytest
from hypothesis import given

from helpers.codec_tools import BYTES, INTS, PLAIN, TEXTS, is_compact, is_immutable, round_trip, same, values
from helpers.region_tools import Colour, Point, Text
from tamis import _core

# ---- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: f"{type(value).__name__}-{str(value)[:20]!a}")
def test_plain_value_comes_back_as_it_was(value):
    back = round_trip(value)
    assert same(back, value)
    assert is_immutable(value)
    assert is_compact(value)


def test_containers_come_back_as_they_were():
    for make in (tuple, list):
        assert same(round_trip(make(PLAIN)), make(PLAIN))
    for make in (set, frozenset):
        assert round_trip(make(INTS + TEXTS + BYTES)) == make(INTS + TEXTS + BYTES)
    order = {text: [number] for number, text in enumerate(reversed(TEXTS))}
    assert same(round_trip(order), order)
    nested = {"a": [(1, {2: bytearray(b"three")}), {frozenset([4])}], None: ((((),),),)}
    assert same(round_trip(nested), nested)
    assert is_compact(nested)


def test_value_is_immutable_if_nothing_in_it_can_change():
    for value in [(), (1, ("a", frozenset([b"x", (None,)])))]:
        assert is_immutable(value)
    for value in [[], {}, set(), bytearray(), (1, ([],)), (1, {2: 3}), Colour.RED, decimal.Decimal(1)]:
        assert not is_immutable(value), value


@pytest.mark.parametrize(
    "value",
    [
        Colour.RED,
        Text("a"),
        Point(1, 2),
        [Point(1, 2)],
        OrderedDict(a=1),
        decimal.Decimal("1.5"),
        datetime.date(2020, 1, 1),
        range(3),
        int,
        len,
    ],
    ids=repr,
)
def test_what_is_of_no_exact_built_in_type_goes_by_pickle(value):
    assert not is_compact(value)
    back = round_trip(value)
    assert type(back) is type(value)
    assert back == value


def test_object_that_is_met_twice_is_one_object_in_the_copy():
    inner = [1]
    for value in [[inner, inner], (inner, {1: inner}), {1: [inner], 2: inner}]:
        assert not is_compact(value)
    a, b = round_trip([inner, inner])
    assert a is b


def test_ring_comes_back_as_a_ring():
    ring: list = []
    ring.append((ring,))
    back = round_trip(ring)
    assert back[0][0] is back


def test_many_mutable_objects_stay_in_compact_form():
    value = [[number] for number in range(1000)]
    assert is_compact(value)
    assert round_trip(value) == value
    value.append(value[500])
    assert not is_compact(value)


def test_value_that_nests_too_deep_goes_by_pickle():
    value: list = []
    for _ in range(63):
        value = [value]
    assert is_compact(value)
    assert round_trip(value) == value
    assert not is_compact([value])
    assert round_trip([value]) == [value]


def test_what_pickle_refuses_leaves_as_its_exception():
    with pytest.raises((TypeError, pickle.PicklingError, AttributeError)):
        _core._dumps([lambda: None])


@given(values())
def test_any_value_comes_back(value):
    back = round_trip(value)
    # Sets have no order, and NaNs no equal; pickle's own copy shows what to expect of both.
    assert type(back) is type(value)
    assert repr_sorted(back) == repr_sorted(value)


def repr_sorted(value: object) -> object:
    """A form that is equal for equal values, NaNs and the order of sets left out."""
    if isinstance(value, list | tuple):
        return type(value).__name__, [repr_sorted(item) for item in value]
    if isinstance(value, dict):
        return [(repr_sorted(name), repr_sorted(item)) for name, item in value.items()]
    if isinstance(value, set | frozenset):
        return type(value).__name__, sorted(repr(repr_sorted(item)) for item in value)
    return type(value).__name__, repr(value)


# ---- threads --------------------------------------------------------------------------------------------------------


def test_containers_that_other_threads_change_are_written_whole_or_by_pickle():
    names = [f"name {number}" for number in range(8)]
    shared = ({}, [], set(), bytearray())
    # Free-threaded CPython does not guard bytearrays, and crashes by itself (seen on 3.13).
    arrays = not _core.BUILD["free_threaded"]
    done = threading.Event()

    def change(seed: int) -> None:
        randomly = random.Random(seed)
        table, items, members, array = shared
        while not done.is_set():
            name = randomly.choice(names)
            table[name] = items[:4]
            items.append(name)
            members.add(name)
            if arrays:
                array.extend(b"abc")
                if len(array) > 100:
                    del array[:]
            if len(items) > 50:
                del items[:]
                table.clear()
                members.clear()

    threads = [threading.Thread(target=change, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3000):
            for value in shared:
                try:
                    content = _core._dumps(value)
                except RuntimeError:  # of pickle: the size has changed
                    continue
                answer = _core._loads(content)
                assert answer is not None
                assert type(answer[0]) is type(value)
    finally:
        done.set()
        for thread in threads:
            thread.join()
