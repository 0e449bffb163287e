"""The cache beside a SIEVE in plain Python: the same hits, the same entries, the same victims in the same order."""

from __future__ import annotations

import gc
import random
import weakref
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import tamis
from models.sieve import Sieve


class Arguments:
    """The arguments of one call."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args = args
        self.kwargs = kwargs

    def __repr__(self) -> str:
        return f"{self.args} {self.kwargs}"


# Calls of every shape. Those in one row are one key, since their arguments are equal; rows never meet.
KEYS: list[list[Arguments]] = [
    [Arguments(1.0), Arguments(True), Arguments(Fraction(1)), Arguments(1 + 0j)],
    [Arguments(-0.0), Arguments(False), Arguments(Decimal(0))],
    # A lone int has a key of its own.
    [Arguments(1)],
    [Arguments(0)],
    [Arguments(-1)],
    [Arguments(-1.0), Arguments(Decimal(-1))],
    [Arguments(-2)],
    [Arguments(Decimal(-2))],
    [Arguments("1"), Arguments("".join(["1"]))],
    [Arguments("é" * 3), Arguments("é" + "éé")],
    [Arguments((1, "1")), Arguments((1.0, "1"))],
    [Arguments(0.5), Arguments(Fraction(1, 2)), Arguments(Decimal("0.5"))],
    [Arguments(1 << 70), Arguments(2 << 69)],
    [Arguments(float(1 << 70)), Arguments(Fraction(1 << 70))],
    [Arguments(-(1 << 70)), Arguments(-(2 << 69))],
    [Arguments()],
    [Arguments(())],
    [Arguments(None)],
    [Arguments(1, "1"), Arguments(1.0, "1")],
    [Arguments("1", 1), Arguments("1", True)],
    [Arguments(1, 2, 3)],
    [Arguments(a=1), Arguments(a=1.0)],
    [Arguments(a=1, b=2)],
    [Arguments(b=2, a=1)],
    [Arguments(1, a=2)],
    [Arguments((1,), ("a", 2))],
    [Arguments(frozenset({1, 2})), Arguments(frozenset({2, 1.0}))],
    [Arguments(b"1"), Arguments(bytes([49]))],
]


class Value:
    """What the cached function returns: each time another object."""


class Pair:
    """A cached function and its model, and every operation on both."""

    def __init__(self, maxsize: int | None, keys: list[list[Arguments]], typed: bool = False) -> None:
        @tamis.lru_cache(maxsize=maxsize, typed=typed)
        def function(*args: Any, **kwargs: Any) -> Value:
            self.made = Value()
            return self.made

        self.function = function
        self.model = Sieve(maxsize)
        self.keys = keys
        self.made: Value | None = None

    def arguments(self, key: int, way: int = 0) -> Arguments:
        ways = self.keys[key]
        return ways[way % len(ways)]

    def call(self, key: int, way: int = 0) -> None:
        given = self.arguments(key, way)
        self.made = None
        result = self.function(*given.args, **given.kwargs)
        assert self.model.call(key, result) == (self.made is None)
        if self.made is not None:
            assert result is self.made
        assert result is self.model.value(key)

    def put(self, key: int, way: int = 0) -> None:
        given, value = self.arguments(key, way), Value()
        assert self.function.cache_put(value, *given.args, **given.kwargs) is None
        self.model.put(key, value)

    def refresh(self, key: int, way: int = 0) -> None:
        given = self.arguments(key, way)
        value = self.function.cache_refresh(*given.args, **given.kwargs)
        assert value is self.made
        self.model.put(key, value)

    def invalidate(self, key: int, way: int = 0) -> None:
        given = self.arguments(key, way)
        assert self.function.cache_invalidate(*given.args, **given.kwargs) is self.model.invalidate(key)

    def contains(self, key: int, way: int = 0) -> None:
        given = self.arguments(key, way)
        assert self.function.cache_contains(*given.args, **given.kwargs) is self.model.contains(key)

    def clear(self) -> None:
        self.function.cache_clear()
        self.model.clear()

    def check(self) -> None:
        model = self.model
        assert self.function.cache_info() == (model.hits, model.misses, model.maxsize, len(model.queue))
        present = {
            key
            for key, (given, *_) in enumerate(self.keys)
            if self.function.cache_contains(*given.args, **given.kwargs)
        }
        assert present == set(model.entries)

    def check_queue(self) -> None:
        """Push everything out by new entries: whom each of them costs tells the whole queue, its marks and its hand."""
        fresh = iter(range(10**6))
        for _ in range(2 * (self.model.maxsize or 0)):
            key = ("fresh", next(fresh))
            result = self.function(key)
            self.model.call(key, result)
            for entry, (given, *_ways) in enumerate(self.keys):
                assert self.function.cache_contains(*given.args, **given.kwargs) is self.model.contains(entry)


KEY = st.integers(0, len(KEYS) - 1)
WAY = st.integers(0, 4)


class CacheBesideItsModel(RuleBasedStateMachine):
    """Random operations, all states compared after each."""

    @initialize(maxsize=st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 12, None]), typed=st.booleans())
    def start(self, maxsize: int | None, typed: bool) -> None:
        keys = [row[:1] for row in KEYS] if typed else KEYS
        self.pair = Pair(maxsize, keys, typed)

    @rule(key=KEY, way=WAY)
    def call(self, key: int, way: int) -> None:
        self.pair.call(key, way)

    @rule(keys=st.lists(KEY, min_size=2, max_size=12))
    def call_many(self, keys: list[int]) -> None:
        for key in keys:
            self.pair.call(key)

    @rule(key=KEY, way=WAY)
    def put(self, key: int, way: int) -> None:
        self.pair.put(key, way)

    @rule(key=KEY, way=WAY)
    def refresh(self, key: int, way: int) -> None:
        self.pair.refresh(key, way)

    @rule(key=KEY, way=WAY)
    def invalidate(self, key: int, way: int) -> None:
        self.pair.invalidate(key, way)

    @rule(key=KEY, way=WAY)
    def contains(self, key: int, way: int) -> None:
        self.pair.contains(key, way)

    @rule()
    def clear(self) -> None:
        self.pair.clear()

    @invariant()
    def same_state(self) -> None:
        if hasattr(self, "pair"):
            self.pair.check()

    def teardown(self) -> None:
        if hasattr(self, "pair"):
            self.pair.check_queue()


TestCacheBesideItsModel = CacheBesideItsModel.TestCase
TestCacheBesideItsModel.settings = settings(max_examples=80, stateful_step_count=40)

OPERATIONS = ["call"] * 24 + ["put", "put", "refresh", "invalidate", "invalidate", "contains"]


def int_keys(count: int) -> list[list[Arguments]]:
    """Make keys whose hashes are regular: in strides of powers of two, and of both signs."""
    strides = [1, -1, 1 << 16, -(1 << 16), 1 << 40, 1 << 61]
    numbers = {(1 + n // len(strides)) * strides[n % len(strides)]: None for n in range(2 * count)}
    return [[Arguments(number), Arguments(+number)] for number in list(numbers)[:count]]


def str_keys(count: int) -> list[list[Arguments]]:
    """Make keys of many lengths, each by two objects."""
    return [[Arguments("k" * (n % 23) + str(n)), Arguments("".join(["k" * (n % 23), str(n)]))] for n in range(count)]


def pair_keys(count: int) -> list[list[Arguments]]:
    """Make calls of two arguments."""
    return [[Arguments(n % 7, n // 7), Arguments(float(n % 7), n // 7)] for n in range(count)]


def mixed_keys(count: int) -> list[list[Arguments]]:
    """Make calls of all shapes, as many as there are."""
    return KEYS[:count]


@pytest.mark.parametrize("make_keys", [int_keys, str_keys, pair_keys, mixed_keys])
@pytest.mark.parametrize("maxsize", [1, 2, 3, 4, 5, 6, 7, 8])
def test_random_operations_on_small_caches_leave_the_same_state_at_every_step(maxsize, make_keys):
    rng = random.Random(f"{maxsize} {make_keys.__name__}")
    pair = Pair(maxsize, make_keys(2 * maxsize + 2))
    for _ in range(600):
        if rng.random() < 0.005:
            pair.clear()
        else:
            getattr(pair, rng.choice(OPERATIONS))(rng.randrange(len(pair.keys)), rng.randrange(2))
        pair.check()
    pair.check_queue()


@pytest.mark.parametrize("make_keys", [int_keys, str_keys, pair_keys])
@pytest.mark.parametrize("maxsize", [31, 128, 300])
def test_random_operations_on_larger_caches_leave_the_same_state(maxsize, make_keys):
    rng = random.Random(f"{maxsize} {make_keys.__name__}")
    pair = Pair(maxsize, make_keys(maxsize * 3 // 2))
    for step in range(6000):
        if rng.random() < 0.0003:
            pair.clear()
        else:
            getattr(pair, rng.choice(OPERATIONS))(rng.randrange(len(pair.keys)), rng.randrange(2))
        if step % 37 == 0:
            pair.check()
    assert len(pair.model.victims) > maxsize
    pair.check()
    pair.check_queue()


def zipf_trace(length: int, keys: int, skew: float, seed: int) -> list[int]:
    """Draw keys of which few are popular and most are rare."""
    weights = [1 / (rank + 1) ** skew for rank in range(keys)]
    return random.Random(seed).choices(range(keys), weights, k=length)


@pytest.mark.parametrize(("maxsize", "seed"), [(1, 1), (2, 2), (10, 3), (64, 4), (128, 5), (250, 6)])
def test_victims_of_a_zipf_trace_leave_in_exact_sieve_order(maxsize, seed):
    left: list[int] = []

    @tamis.lru_cache(maxsize=maxsize)
    def function(key: int) -> Value:
        value = Value()
        finalizer = weakref.finalize(value, left.append, key)
        finalizer.atexit = False
        return value

    model = Sieve(maxsize)
    for key in zipf_trace(12_000, 1000, 0.9, seed):
        misses = function.cache_info().misses
        function(key)
        was_hit = function.cache_info().misses == misses
        assert model.call(key) is was_hit
        assert function.cache_info().currsize == len(model.queue) <= maxsize
    gc.collect()
    assert len(left) > 1000
    assert left == model.victims
    assert [key for key in range(1000) if function.cache_contains(key)] == sorted(model.keys())


def test_a_scan_does_not_push_out_what_is_used():
    @tamis.lru_cache(maxsize=4)
    def function(key: object) -> object:
        return key

    for popular in ("a", "b"):
        function(popular)
        function(popular)
    for once in range(4):
        function(once)
        assert function.cache_contains("a")
        assert function.cache_contains("b")
    assert [once for once in range(4) if function.cache_contains(once)] == [2, 3]


def test_the_hand_stays_where_it_stopped_and_goes_on_from_there():
    @tamis.lru_cache(maxsize=3)
    def function(key: str) -> str:
        return key

    for key in "abc":
        function(key)
    function("a")
    # The hand spares a, evicts b and stops at c, which d has not moved.
    function("d")
    assert [key for key in "abcd" if function.cache_contains(key)] == ["a", "c", "d"]
    # From c on: a, now unmarked and the oldest, outlives both.
    function("e")
    assert [key for key in "abcde" if function.cache_contains(key)] == ["a", "d", "e"]
    function("f")
    assert [key for key in "abcdef" if function.cache_contains(key)] == ["a", "e", "f"]


def test_an_entry_taken_out_from_under_the_hand_leaves_the_hand_at_the_next_newer_one():
    @tamis.lru_cache(maxsize=3)
    def function(key: str) -> str:
        return key

    for key in "abcad":  # as above: the hand stops at c
        function(key)
    assert function.cache_invalidate("c")
    function("e")
    function("f")  # evicts d, to which the hand has moved, and not a, the oldest
    assert [key for key in "abcdef" if function.cache_contains(key)] == ["a", "e", "f"]


def test_an_entry_put_again_keeps_its_place_and_is_spared_once():
    @tamis.lru_cache(maxsize=2)
    def function(key: str) -> str:
        return key

    function("a")
    function("b")
    function.cache_put("another", "a")
    function("c")
    assert [key for key in "abc" if function.cache_contains(key)] == ["a", "c"]
    assert function("a") == "another"


def test_the_size_never_exceeds_the_bound_in_the_middle_of_calls():
    sizes = []

    @tamis.lru_cache(maxsize=3)
    def function(depth: int) -> int:
        sizes.append(function.cache_info().currsize)
        result = function(depth - 1) + 1 if depth else 0
        sizes.append(function.cache_info().currsize)
        return result

    assert function(20) == 20
    assert max(sizes) == 3
    assert function.cache_info() == (0, 21, 3, 3)
