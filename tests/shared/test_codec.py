"""The bytes of values and keys in shared caches: what comes back, what meets, and what damage does."""

from __future__ import annotations

import copy
import datetime
import decimal
import enum
import itertools
import math
import os
import pickle
import random
import struct
import threading
from collections import OrderedDict, namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.subprocess_tools import run_function
from tamis import _core

PICKLED = 22
NAN = float("nan")
Point = namedtuple("Point", "x y")


class Colour(enum.IntEnum):
    RED = 1


class Text(str):
    __slots__ = ()


def same(a: object, b: object) -> bool:
    """Whether two values are of one type and equal, items included; NaNs by their bits."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    return a == b


def round_trip(value: object) -> object:
    answer = _core._loads(_core._dumps(value))
    assert answer is not None, value
    return answer[0]


def is_immutable(value: object) -> bool:
    return _core._loads(_core._dumps(value))[1]


def is_compact(value: object) -> bool:
    return _core._dumps(value)[0] != PICKLED


def key(*args: object, typed: bool = False, **kwargs: object) -> bytes:
    return _core._key(args, kwargs, typed)


# ---- values ---------------------------------------------------------------------------------------------------------

INTS = [
    sign * (1 << bits) + more
    for bits in [*range(0, 70), 89, 90, 91, 120, 1000]
    for sign in (1, -1)
    for more in (-1, 0, 1)
]
TEXTS = [
    "",
    "a",
    "é",
    "€",
    "𝄞",
    "\0",
    "a" * 63,
    "a" * 64,
    "é" * 200,
    "€" * 200,
    "𝄞é" * 100,
    "\ud800",
    "a\udfff",
    "\x7f\x80\xff",
]
FLOATS = [
    0.0,
    -0.0,
    1.5,
    -1e300,
    5e-324,
    math.inf,
    -math.inf,
    NAN,
    struct.unpack("d", struct.pack("Q", 0xFFF8000000000123))[0],
]
BYTES = [b"", b"\0", bytes(range(256)), b"x" * 100_000]
PLAIN = [None, True, False, *INTS, *TEXTS, *FLOATS, *BYTES, 1j, complex(-0.0, NAN)]


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


def values(keys_only: bool = False) -> st.SearchStrategy:
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.complex_numbers()
        | st.text(st.characters(codec=None))
        | st.binary()
    )
    hashable = st.recursive(
        leaves, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=4), max_leaves=8
    )
    if keys_only:
        return hashable
    return st.recursive(
        hashable | st.binary().map(bytearray),
        lambda inner: st.lists(inner, max_size=5)
        | st.dictionaries(hashable, inner, max_size=5)
        | st.sets(hashable, max_size=5),
        max_leaves=20,
    )


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


# ---- keys -----------------------------------------------------------------------------------------------------------

BIG = 10**300
NUMBERS = [
    *(0, 1, -1, 2, 127, 128, 255, 1 << 53, (1 << 53) + 1, 1 << 62, (1 << 63) - 1, 1 << 63, -(1 << 63), 1 << 64, BIG),
    *(
        True,
        False,
        0.0,
        -0.0,
        1.0,
        0.5,
        -0.5,
        127.0,
        128.0,
        float(1 << 53),
        float(1 << 63),
        -float(1 << 63),
        float(BIG),
        int(float(BIG)),
    ),
    *(1.7976931348623157e308, int(1.7976931348623157e308), 5e-324, math.inf, -math.inf, 9.2e18, 9.3e18, -9.3e18),
    *(
        0j,
        1 + 0j,
        complex(1, -0.0),
        complex(-0.0, 1),
        complex(0, 1),
        complex(0.5, 0),
        complex(1, 2),
        complex(BIG, 0),
        complex(-0.0, -0.0),
    ),
]


@pytest.mark.parametrize("wrap", [lambda x: (x,), lambda x: ("a", (x, None)), lambda x: frozenset([x, "z"])], ids="abc")
def test_numbers_meet_exactly_where_they_are_equal(wrap):
    for a in NUMBERS:
        for b in NUMBERS:
            assert (key(wrap(a)) == key(wrap(b))) == (a == b), (a, b)


@given(st.floats(allow_nan=False))
def test_integral_float_meets_its_integer(value):
    assert key(value) == key(complex(value))
    if value.is_integer():
        assert key(value, None) == key(int(value), None)
        assert key(value, None) != key(int(value) + 1, None)


def test_lone_int_and_str_have_keys_of_their_own():
    for a, b in itertools.product([*NUMBERS, "a", Text("a"), Colour.RED], repeat=2):
        own = [type(x) in (int, str) for x in (a, b)]
        assert (key(a) == key(b)) is (own[0] == own[1] and key((a,)) == key((b,))), (a, b)


@given(values(keys_only=True), values(keys_only=True))
def test_keys_meet_exactly_where_values_are_equal(a, b):
    if "nan" not in repr((a, b)):
        assert (key((a,)) == key((b,))) == (a == b)
    assert key(a) == key(copy.deepcopy(a))
    assert key(a, b) == key(copy.deepcopy(a), copy.deepcopy(b))


def test_nans_meet_where_their_bits_are_the_same():
    assert key(NAN) == key(float("nan"))
    assert key(NAN) != key(FLOATS[-1])


def test_complex_nan_is_no_float():
    assert key(complex(NAN, 0.0)) != key(NAN)
    assert key(complex(NAN, 0.0)) == key(complex(NAN, 0.0))


def test_shapes_of_calls_never_meet():
    calls = [
        *(key(), key(1), key(1, 2), key((1, 2)), key((1,), 2), key(1, a=2), key((1,), ("a", 2)), key(1, "a", 2)),
        *(key(a=1, b=2), key(b=2, a=1), key(("a", 1)), key("1"), key(b"1"), key(None), key("None"), key(())),
        *(key(frozenset()), key(1, typed=True), key(1.0, typed=True), key(True, typed=True), key("", "")),
        *(key("a", ""), key("", "a"), key("é"), key("é".encode()), key(frozenset("ab")), key(("a", "b")), key("ab")),
    ]
    assert len(set(calls)) == len(calls)


def test_subclasses_keep_their_type():
    assert key(Colour.RED) != key(1)
    assert key(Text("a")) != key("a")
    assert key(Point(1, 2)) != key((1, 2))
    assert key((Colour.RED,)) != key((1,))
    assert key(Colour.RED) == key(Colour(1))
    assert key(decimal.Decimal(1)) == key(decimal.Decimal(1)) != key(1)


def test_types_count_where_the_cache_is_typed():
    assert key(1, typed=True) != key(1.0, typed=True)
    assert key(a=1, typed=True) != key(a=True, typed=True)
    assert key(1, typed=True) == key(1, typed=True)


def test_frozensets_meet_whatever_the_order_of_their_items():
    items = [f"item {number}" for number in range(100)]
    shuffled = random.Random(1).sample(items, len(items))
    assert key(frozenset(items)) == key(frozenset(shuffled))


class Exhausting:
    def __init__(self, error):
        self.error = error

    def __reduce__(self):
        raise self.error


@pytest.mark.parametrize("error", [MemoryError, RecursionError, KeyboardInterrupt])
def test_want_of_memory_or_stack_while_a_key_is_made_is_passed_on(error):
    with pytest.raises(error) as caught:
        key(Exhausting(error("here")))
    assert caught.value.args == ("here",)


def test_argument_that_cannot_be_serialized_is_a_type_error_that_says_why():
    with pytest.raises(TypeError, match="argument of type function has none") as caught:
        key(lambda: None)
    assert caught.value.__cause__ is not None


def test_call_is_read_back_from_its_key():
    assert _core._call(key(1, "a", b=(2.5, None))) == ((1, "a"), (("b", (2.5, None)),))
    assert _core._call(key(decimal.Decimal(1))) == (("<decimal.Decimal>",), ())
    assert _core._call(b"") is None


def test_keys_are_the_same_in_every_process():
    def show() -> None:
        from tamis import _core

        names = frozenset(f"name {number}" for number in range(50))
        print(_core._key((names, (1, names), b"x", "é", 2.5, frozenset([names])), {"a": 1, "b": names}, True).hex())

    seen = {run_function(show, environment={"PYTHONHASHSEED": seed}) for seed in ("0", "1", "random")}
    assert len(seen) == 1


# ---- damage ---------------------------------------------------------------------------------------------------------


def damaged(random: random.Random, samples: list[bytes]) -> bytes:
    """Bytes of a value that are not what they were, or never were any."""
    what = random.randrange(6)
    if what == 0:
        return random.randbytes(random.randrange(60))
    content = bytearray(random.choice(samples))
    if what == 1:
        return bytes(content[: random.randrange(len(content))])
    if what == 2:
        return bytes(content) + random.randbytes(random.randrange(1, 9))
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(content))
        if what == 3:
            content[at] = random.randrange(256)
        elif what == 4:
            content[at] ^= 1 << random.randrange(8)
        else:
            other = random.choice(samples)
            content[at : at + random.randrange(5)] = other[: random.randrange(12)]
    return bytes(content)


def make_samples() -> list[bytes]:
    values = [
        PLAIN[:40],
        {"a": [1, 2.5, (None, True)], 3: {"x", "y"}},
        TEXTS,
        {1: {2: {3: [4]}}},
        frozenset([1, "a", (2,)]),
    ]
    values += [
        bytearray(b"abc"),
        [[[[[]]]]],
        {text: text for text in TEXTS},
        1 << 200,
        ["x" * 100, b"y" * 100, "€" * 100],
    ]
    # Not of pickle: damaged pickles may do anything, and are guarded by the region's checks alone.
    return [_core._dumps(value) for value in values]


def test_damaged_bytes_give_a_value_or_none_and_never_crash():
    randomly = random.Random(os.environ.get("TAMIS_SEED", "codec"))
    samples = make_samples()
    refused = 0
    for _ in range(60_000):
        content = damaged(randomly, samples)
        if content[:1] in (b"\x16", b"\x17"):
            continue
        answer = _core._loads(content)
        if answer is None:
            refused += 1
        else:
            value, immutable = answer
            assert isinstance(immutable, bool)
            # Whatever came of it is a whole value: it can be written again.
            assert round_trip(value) is not None
    assert refused > 10_000


def test_damaged_keys_give_a_call_or_none_and_never_crash():
    randomly = random.Random(os.environ.get("TAMIS_SEED", "codec"))
    samples = [
        key(1, "a", b=2),
        key((1, (2, "é")), frozenset("abc"), typed=True),
        key(decimal.Decimal(3), x=b"y"),
        key(*PLAIN[:30]),
    ]
    refused = sum(_core._call(damaged(randomly, samples)) is None for _ in range(30_000))
    assert 1_000 < refused < 30_000


@pytest.mark.parametrize("tag", [7, 8, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21])
def test_hostile_length_allocates_nothing(tag):
    for length in (b"\xff" * 8 + b"\x7f", b"\xff\xff\xff\xff\x0f", b"\x80" * 20, b"\xff\xff\x03"):
        assert _core._loads(bytes([tag]) + length + b"\0" * 10) is None


def test_hostile_counts_in_nested_containers_are_bounded_together():
    lists = b"".join(bytes([18, 200, 1]) for _ in range(60)) + b"\0" * 250
    assert _core._loads(lists) is None
    assert _core._loads(bytes([18, 1]) * 64 + b"\0")[0] is not None
    assert _core._loads(bytes([18, 1]) * 65 + b"\0") is None
    assert _core._loads(bytes([18, 1]) * 100_000 + b"\0") is None


def test_character_beyond_unicode_is_damage():
    assert _core._loads(bytes([14, 4]) + struct.pack("I", 0x110000)) is None
    assert _core._loads(bytes([14, 4]) + struct.pack("I", 0x10FFFF))[0] == "\U0010ffff"
    assert _core._loads(bytes([13, 3, 1, 2, 3])) is None
    assert _core._loads(bytes([11, 2, 0x41, 0x80])) is None


def test_pickle_that_fails_is_damage():
    assert _core._loads(bytes([PICKLED]) + b"no pickle") is None
    assert _core._loads(bytes([PICKLED]) + b"cno_such_module\nname\n.") is None


def test_keyboard_interrupt_leaves_through_pickle():
    class Interrupting:
        def __reduce__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _core._dumps([Interrupting()])


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
