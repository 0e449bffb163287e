"""SieveCache: what a mapping does, with the queue, marks and victims of SIEVE."""

from __future__ import annotations

import collections.abc
import contextlib
import copy
import gc
import pickle
import random
import sys
import threading
import time
import weakref
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from helpers.subprocess_tools import run_function
from models.sieve import Sieve
from tamis import SieveCache

# Those in one row are one key.
KEYS: list[list[Any]] = [
    [1, 1.0, True],
    [0, False, -0.0],
    [-1, -1.0],
    [-2],
    ["a", "".join(["a"])],
    ["é" * 3, "é" + "éé"],
    [(1, "x"), (1.0, "x")],
    [1 << 70, float(1 << 70)],
    [b"a", bytes([97])],
    [None],
    [()],
    [frozenset({1, 2}), frozenset({2, 1.0})],
]
KEY = st.integers(0, len(KEYS) - 1)
WAY = st.integers(0, 2)
# No entry expires, weighs too much, or is told of to anybody; but each has an entry of its own kind.
WAYS_TO_MAKE: list[dict[str, Any]] = [
    {},
    {"ttl": 3600},
    {"on_evict": lambda key, value, cause: None},
    {"weigher": lambda value: 1, "maxweight": 10**6},
]


class Value:
    """Told apart by identity; neither hashable nor equal to others."""

    __hash__ = None  # type: ignore[assignment]


class CacheBesideItsModel(RuleBasedStateMachine):
    """Random operations on a cache and on a SIEVE in plain Python, all states compared after each."""

    @initialize(maxsize=st.sampled_from([1, 2, 3, 4, 5, 8, None]), options=st.sampled_from(WAYS_TO_MAKE))
    def start(self, maxsize: int | None, options: dict[str, Any]) -> None:
        self.cache = SieveCache(maxsize, **options)
        self.model = Sieve(maxsize)

    def key(self, key: int, way: int) -> Any:
        return KEYS[key][way % len(KEYS[key])]

    @rule(key=KEY, way=WAY)
    def get(self, key: int, way: int) -> None:
        marker = object()
        found = self.cache.get(self.key(key, way), marker)
        if self.model.contains(key):
            assert self.model.call(key)
            assert found is self.model.value(key)
        else:
            self.model.misses += 1
            assert found is marker

    @rule(key=KEY, way=WAY)
    def subscript(self, key: int, way: int) -> None:
        if self.model.contains(key):
            self.model.call(key)
            assert self.cache[self.key(key, way)] is self.model.value(key)
        else:
            self.model.misses += 1
            with pytest.raises(KeyError) as caught:
                self.cache[self.key(key, way)]
            assert caught.value.args == (self.key(key, way),)

    @rule(key=KEY, way=WAY)
    def put(self, key: int, way: int) -> None:
        value = Value()
        self.cache[self.key(key, way)] = value
        self.model.put(key, value)

    @rule(key=KEY, way=WAY, by_factory=st.booleans())
    def set_default(self, key: int, way: int, by_factory: bool) -> None:
        value = Value()
        if by_factory:
            result = self.cache.get_or_compute(self.key(key, way), lambda: value)
        else:
            result = self.cache.setdefault(self.key(key, way), value)
        self.model.call(key, value)
        assert result is self.model.value(key)

    @rule(key=KEY, way=WAY)
    def delete(self, key: int, way: int) -> None:
        if self.model.invalidate(key):
            del self.cache[self.key(key, way)]
        else:
            with pytest.raises(KeyError):
                del self.cache[self.key(key, way)]

    @rule(key=KEY, way=WAY)
    def pop(self, key: int, way: int) -> None:
        marker = object()
        expected = self.model.value(key) if self.model.contains(key) else marker
        self.model.invalidate(key)
        assert self.cache.pop(self.key(key, way), marker) is expected

    @rule()
    def pop_item(self) -> None:
        if not self.model.queue:
            with pytest.raises(KeyError):
                self.cache.popitem()
            return
        values = {key: self.model.value(key) for key in self.model.entries}
        self.model._evict()
        victim = self.model.victims[-1]
        key, value = self.cache.popitem()
        assert key in KEYS[victim]
        assert value is values[victim]

    @rule(keys=st.lists(KEY, max_size=10), as_pairs=st.booleans())
    def update(self, keys: list[int], as_pairs: bool) -> None:
        pairs = [(self.key(key, 0), (key, Value())) for key in keys]
        self.cache.update(((key, value) for key, (_, value) in pairs) if as_pairs else {k: v for k, (_, v) in pairs})
        for key, value in [found for _, found in pairs] if as_pairs else dict(pairs).values():
            self.model.put(key, value)

    @rule(how=st.sampled_from(["copy", "copy.copy"]))
    def go_on_with_a_copy(self, how: str) -> None:
        before = self.cache
        self.cache = before.copy() if how == "copy" else copy.copy(before)
        assert self.cache == before
        before.clear()
        self.model.hits = self.model.misses = 0

    @rule()
    def clear(self) -> None:
        self.cache.clear()
        self.model.clear()

    @invariant()
    def same_state(self) -> None:
        if not hasattr(self, "cache"):
            return
        cache, model = self.cache, self.model
        assert cache.info() == (model.hits, model.misses, model.maxsize, len(model.queue))
        assert len(cache) == len(model.queue)
        assert bool(cache) == bool(model.queue)
        expected = [(entry.key, entry.value) for entry in reversed(model.queue)]
        assert [key in KEYS[row] for key, (row, _) in zip(cache, expected, strict=True)] == [True] * len(expected)
        assert all(a is b for a, (_, b) in zip(cache.values(), expected, strict=True))
        assert [key for key, _ in cache.items()] == list(cache) == list(cache.keys())
        assert {row for row in range(len(KEYS)) if KEYS[row][0] in cache} == set(model.entries)

    def teardown(self) -> None:
        """Push everything out by new entries: whom each of them costs tells the marks and the hand."""
        if not hasattr(self, "cache") or self.model.maxsize is None:
            return
        for fresh in range(2 * self.model.maxsize):
            self.cache[f"fresh {fresh}"] = fresh
            self.model.put(f"fresh {fresh}", fresh)
            left = [entry.value for entry in reversed(self.model.queue)]
            assert all(a is b for a, b in zip(self.cache.values(), left, strict=True))


TestCacheBesideItsModel = CacheBesideItsModel.TestCase
TestCacheBesideItsModel.settings = settings(max_examples=120, stateful_step_count=40)


def make_cpythons_own_tests() -> Any:
    """CPython's tests of any mapping; None where its test package is not installed."""
    try:
        from test.mapping_tests import BasicTestMappingProtocol
    except ImportError:
        return None

    class Large(SieveCache):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(1000)
            self.update(*args, **kwargs)

    class MappingProtocol(BasicTestMappingProtocol):
        type2test = Large

        def test_popitem(self) -> None:
            mapping = self._full_mapping(self.reference)
            assert mapping.popitem() == next(iter(self.reference.items()))
            with pytest.raises(KeyError):
                self._empty_mapping().popitem()

    return MappingProtocol


TestMappingProtocol = make_cpythons_own_tests()


@pytest.mark.skipif(TestMappingProtocol is not None, reason="CPython's mapping tests are here, and run")
def test_cpythons_mapping_tests_are_missing_only_where_the_test_package_is():
    with pytest.raises(ImportError):
        import test.mapping_tests  # noqa: F401


def test_it_is_a_mutable_mapping_and_generic_at_runtime():
    cache: SieveCache[int, str] = SieveCache[int, str](2)
    assert isinstance(cache, collections.abc.MutableMapping)
    assert issubclass(SieveCache, collections.abc.MutableMapping)
    assert repr(SieveCache[int, str]) == "tamis.SieveCache[int, str]"
    with pytest.raises(TypeError, match="unhashable"):
        hash(cache)
    match cache:
        case {"absent": _}:
            raise AssertionError
        case {}:
            pass


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((), {}, TypeError, "maxsize"),
        ((1, 2), {}, TypeError, "maxsize"),
        ((1,), {"maxsize": 1}, TypeError, "maxsize both"),
        ((0,), {}, ValueError, "maxsize .* 1 or more.* not 0"),
        ((-3,), {}, ValueError, "maxsize .* not -3"),
        (("1",), {}, TypeError, "maxsize .* not str"),
        ((True,), {}, TypeError, "maxsize .* not a bool"),
        ((1.0,), {}, TypeError, "maxsize .* not float"),
        ((1 << 80,), {}, OverflowError, "int"),
        ((1,), {"tti": 3}, TypeError, "unexpected keyword argument 'tti': it takes maxsize.*on_evict"),
        ((1,), {"ttl": 0}, ValueError, "ttl takes more than 0 seconds"),
        ((1,), {"ttl": "1"}, TypeError, "ttl takes seconds"),
        ((1,), {"weigher": len}, ValueError, "weigher and maxweight"),
        ((1,), {"maxweight": 3}, ValueError, "weigher and maxweight"),
        ((1,), {"weigher": len, "maxweight": -1}, ValueError, "maxweight takes"),
        ((1,), {"on_evict": 3}, TypeError, "on_evict takes a callable"),
    ],
)
def test_wrong_arguments_are_named_with_what_is_taken(arguments, options, error, words):
    with pytest.raises(error, match=words):
        SieveCache(*arguments, **options)


def test_none_stands_for_an_option_that_is_not_given():
    cache = SieveCache(maxsize=None, ttl=None, weigher=None, maxweight=None, on_evict=None)
    cache.update({number: number for number in range(1000)})
    assert len(cache) == 1000
    assert cache.maxsize is None


def test_get_pop_and_setdefault_take_the_default_by_position_and_by_name():
    cache = SieveCache(3)
    assert cache.get(1) is None
    assert cache.get(1, 2) == cache.get(1, default=2) == 2
    assert cache.pop(1, 2) == cache.pop(1, default=2) == 2
    with pytest.raises(KeyError):
        cache.pop(1)
    assert cache.setdefault(1) is None
    assert cache[1] is None
    assert cache.setdefault(2, default=5) == 5
    for method in (cache.get, cache.pop, cache.setdefault, cache.get_or_compute):
        with pytest.raises(TypeError):
            method()
        with pytest.raises(TypeError):
            method(1, 2, 3)
        with pytest.raises(TypeError):
            method(1, other=3)
    with pytest.raises(TypeError, match="factory"):
        cache.get_or_compute(1, 3)


def test_all_forms_of_update():
    class Keyed:
        def keys(self):
            return ["a", "b"]

        def __getitem__(self, key):
            return key * 2

    cache = SieveCache(20)
    cache.update()
    cache.update({"x": 1}, y=2)
    cache.update([("z", 3)])
    cache.update(Keyed())
    cache.update(self=5)
    other = SieveCache(2)
    other["other"] = 6
    cache.update(other)
    assert dict(cache) == {"x": 1, "y": 2, "z": 3, "a": "aa", "b": "bb", "self": 5, "other": 6}
    with pytest.raises(TypeError):
        cache.update(3)


def test_equal_to_mappings_of_the_same_entries_in_any_order():
    cache = SieveCache(5)
    cache.update(a=[1], b=2)
    assert cache == {"b": 2, "a": [1]}
    assert cache == {"b": 2, "a": [1]}
    assert cache != {"a": [1]}
    assert cache != [("a", [1]), ("b", 2)]
    other = SieveCache(9)
    other.update(b=2, a=[1])
    assert cache == other


def test_asking_and_iterating_mark_nothing():
    cache = SieveCache(2)
    cache.update(a=1, b=2)
    assert "a" in cache
    assert list(cache) == ["a", "b"]
    assert ("a", 1) in cache.items()
    assert ("a", 2) not in cache.items()
    assert 1 in cache.values()
    assert list(cache.items()) == [("a", 1), ("b", 2)]
    assert cache == {"a": 1, "b": 2}
    assert repr(cache) == "SieveCache({'a': 1, 'b': 2}, maxsize=2)"
    assert cache.info() == (0, 0, 2, 2)
    cache["c"] = 3
    assert list(cache) == ["b", "c"]


def test_reading_marks_and_a_marked_entry_is_spared():
    cache = SieveCache(2)
    cache.update(a=1, b=2)
    assert cache["a"] == 1
    cache["c"] = 3
    assert list(cache) == ["a", "c"]


def test_iteration_goes_over_a_snapshot():
    cache = SieveCache(5)
    cache.update({number: number for number in range(5)})
    seen = []
    for key in cache:
        seen.append(key)
        cache[key + 10] = 0
    assert seen == [0, 1, 2, 3, 4]


def test_views_are_live():
    cache = SieveCache(5)
    keys, values, items = cache.keys(), cache.values(), cache.items()
    cache["a"] = 1
    assert (list(keys), list(values), list(items)) == (["a"], [1], [("a", 1)])
    assert keys & {"a", "b"} == {"a"}
    assert len(items) == 1


def test_missing_of_a_subclass_is_for_subscripts_alone_as_with_dict():
    class Doubling(SieveCache):
        def __missing__(self, key):
            return key * 2

    cache = Doubling(3)
    assert cache[4] == 8
    assert cache.get(4) is None
    assert 4 not in cache


def test_a_subclass_has_attributes_and_its_own_signature():
    class Named(SieveCache):
        def __init__(self, name):
            super().__init__(4)
            self.name = name

    cache = Named("n")
    cache[1] = 2
    again = cache.copy()
    assert (type(again), again.name, dict(again)) == (Named, "n", {1: 2})
    assert copy.deepcopy(cache).name == "n"
    with pytest.raises(AttributeError):
        SieveCache(1).name = "n"


def test_without_init_every_method_says_so_and_a_second_init_is_refused():
    cache = SieveCache.__new__(SieveCache)
    for use in (len, list, dict, repr, lambda c: c.get(1), lambda c: c[1], lambda c: 1 in c, lambda c: c.clear()):
        with pytest.raises(TypeError, match=r"__init__\(\) has not been called"):
            use(cache)
    with pytest.raises(TypeError, match="has not been called"):
        cache[1] = 2
    cache.__init__(2)
    cache[1] = 2
    with pytest.raises(TypeError, match="has been called before"):
        cache.__init__(3)
    assert dict(cache) == {1: 2}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_keep_entries_marks_hand_and_options(protocol):
    cache = SieveCache(4, ttl=3600, weigher=len, maxweight=100)
    for key in "abcd":
        cache[key] = key * 3
    for key in "abd":
        cache.get(key)
    cache["e"] = "e"  # the hand spares a and b, takes c, and stops at d
    again = pickle.loads(pickle.dumps(cache, protocol))
    assert again == cache
    assert again.stats()["weight"] == cache.stats()["weight"] == 10
    assert again.maxsize == 4
    for step in range(6):
        cache[step] = again[step] = str(step)
        assert list(again.items()) == list(cache.items())
    with pytest.raises(ValueError, match="weigher"):
        SieveCache(4, weigher=len)


def test_a_cache_that_holds_itself_is_copied_pickled_and_shown():
    cache = SieveCache(2)
    cache["me"] = cache
    assert repr(cache) == "SieveCache({'me': ...}, maxsize=2)"
    again = pickle.loads(pickle.dumps(cache))
    assert again["me"] is again
    deep = copy.deepcopy(cache)
    assert deep["me"] is deep
    assert cache.copy()["me"] is cache


@pytest.mark.parametrize(
    "state",
    [
        (2, {}, [(1,)], 0, None),
        (2, {}, [[1, 2, 3, 4, 5]], 0, None),
        (2, {}, [(1, 2, True, "x", 0)], 0, None),
        (2, {}, [(1, 2, True, None, -1)], 0, None),
        (2, {}, [([], 2, True, None, 0)], 0, None),
        (2, {}, 3, 0, None),
        (2, {}, [], -1, None),
        (0, {}, [], 0, None),
        (2, {"tti": 1}, [], 0, None),
    ],
)
def test_a_damaged_state_is_refused(state):
    with pytest.raises((TypeError, ValueError)):
        SieveCache.__new__(SieveCache).__setstate__(state)


def test_a_state_of_more_than_fits_keeps_the_bound():
    cache = SieveCache.__new__(SieveCache)
    cache.__setstate__((2, {}, [(number, number, True, None, 0) for number in range(10)], 10**9, None))
    assert len(cache) == 2


def test_expired_entries_are_absent_everywhere():
    told = []
    cache = SieveCache(10, ttl=0.05, on_evict=lambda *what: told.append(what))
    cache.update(a=1, b=2)
    time.sleep(0.06)
    cache["c"] = 3
    assert "a" not in cache
    assert cache.get("a") is None
    with pytest.raises(KeyError):
        cache["a"]
    assert cache.pop("a", None) is None
    assert told == [("a", 1, "expired")]
    assert [*iter(cache)] == ["c"]
    assert cache == {"c": 3}
    assert len(cache) == 1
    assert told == [("a", 1, "expired"), ("b", 2, "expired")]
    assert cache.stats()["expirations"] == 2
    assert cache.setdefault("b", 5) == 5
    assert cache.popitem() == ("c", 3)
    time.sleep(0.06)
    with pytest.raises(KeyError):
        cache.popitem()
    assert not cache


def test_a_callable_ttl_says_for_each_value():
    cache = SieveCache(10, ttl=lambda value: value)
    cache.update(short=0.02, long=timedelta(hours=1), ever=None)
    time.sleep(0.03)
    assert set(cache) == {"long", "ever"}
    assert len(cache) == 2
    assert set(cache.copy()) == {"long", "ever"}


def test_a_copy_and_a_pickle_expire_when_the_original_does():
    cache = SieveCache(10, ttl=0.08)
    cache["a"] = 1
    time.sleep(0.05)
    copies = [cache.copy(), pickle.loads(pickle.dumps(cache))]
    time.sleep(0.04)
    assert [list(made) for made in copies] == [[], []]


def test_on_evict_is_told_the_cause():
    told = []
    cache = SieveCache(2, on_evict=lambda *what: told.append(what))
    cache.update(a=1, b=2)
    cache["b"] = 3
    cache["c"] = 4
    del cache["b"]
    assert cache.popitem() == ("c", 4)
    cache["d"] = 5
    cache.clear()
    assert told == [
        ("b", 2, "replaced"),
        ("a", 1, "size"),
        ("b", 3, "invalidated"),
        ("c", 4, "invalidated"),
        ("d", 5, "cleared"),
    ]


def test_the_sum_of_weights_is_bounded():
    cache = SieveCache(None, weigher=len, maxweight=10)
    cache.update(a="123", b="456", c="789")
    cache["d"] = "0123"
    assert list(cache) == ["c", "d"] or sum(map(len, cache.values())) <= 10
    cache["huge"] = "x" * 11
    assert "huge" not in cache
    assert cache.stats()["weight"] == sum(map(len, cache.values()))


def test_stats_count_what_happened_since_clear():
    cache = SieveCache(2)
    cache.update(a=1, b=2, c=3)
    cache.get("a")
    cache.get("c")
    del cache["b"]
    stats = cache.stats()
    assert {name: count for name, count in stats.items() if count} == {
        "hits": 1,
        "misses": 1,
        "evictions": 1,
        "invalidations": 1,
        "currsize": 1,
    }
    cache.clear()
    assert not any(cache.stats().values())


# Code of keys' own


class Tricky:
    """A key whose __hash__ and __eq__ do as they are told."""

    def __init__(self, number: int, on_eq: Any = None, on_hash: Any = None) -> None:
        self.number, self.on_eq, self.on_hash = number, on_eq, on_hash

    def __hash__(self) -> int:
        if self.on_hash:
            self.on_hash()
        return 7

    def __eq__(self, other: object) -> bool:
        # The stored key is asked, about the one that is looked for.
        for key in (self, other):
            if isinstance(key, Tricky) and key.on_eq:
                key.on_eq()
        return isinstance(other, Tricky) and self.number == other.number


OPERATIONS = {
    "get": lambda cache, key: cache.get(key),
    "subscript": lambda cache, key: cache[key],
    "contains": lambda cache, key: key in cache,
    "set": lambda cache, key: cache.__setitem__(key, 0),
    "delete": lambda cache, key: cache.__delitem__(key),
    "pop": lambda cache, key: cache.pop(key, 0),
    "setdefault": lambda cache, key: cache.setdefault(key, 0),
    "get_or_compute": lambda cache, key: cache.get_or_compute(key, lambda: 0),
}


@pytest.mark.parametrize("options", WAYS_TO_MAKE)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_eq_that_clears_the_cache_keeps_the_size_bound(operation, options):
    cache = SieveCache(3, **options)
    for number in range(3):
        cache[Tricky(number)] = number
    key = Tricky(1, on_eq=cache.clear)
    with contextlib.suppress(KeyError):
        operation(cache, key)
    key.on_eq = None
    assert len(cache) <= 3
    assert len(list(cache)) == len(cache)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_eq_that_fills_the_cache_keeps_the_size_bound(operation):
    cache = SieveCache(3)
    numbers = iter(range(10, 10**6))
    for number in range(3):
        cache[Tricky(number)] = number

    def fill() -> None:
        key.on_eq = None
        for _ in range(5):
            cache[Tricky(next(numbers))] = 0
            assert len(cache) <= 3
        key.on_eq = fill

    key = Tricky(1, on_eq=fill)
    with contextlib.suppress(KeyError):
        operation(cache, key)
    key.on_eq = None
    assert len(cache) <= 3


@pytest.mark.parametrize("where", ["on_eq", "on_hash"])
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_errors_of_hash_and_eq_leave_unchanged(operation, where):
    class Refuse(Exception):
        pass

    def refuse() -> None:
        raise Refuse

    cache = SieveCache(3)
    cache[Tricky(1)] = 1
    with pytest.raises(Refuse):
        operation(cache, Tricky(1, **{where: refuse}))
    assert list(cache.values()) == [1]


def test_unhashable_keys_are_refused():
    cache = SieveCache(3)
    for operation in OPERATIONS.values():
        with pytest.raises(TypeError, match="unhashable"):
            operation(cache, [])


def test_on_evict_may_change_the_cache_and_its_error_goes_to_the_unraisable_hook(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: seen.append(what.exc_type))
    cache: SieveCache[Any, Any]

    def evicted(key: Any, value: Any, cause: str) -> None:
        if cause == "size":
            cache.pop("b", None)
            raise ZeroDivisionError

    cache = SieveCache(2, on_evict=evicted)
    cache.update(a=1, b=2)
    cache["c"] = 3
    assert list(cache) == ["c"]
    assert seen == [ZeroDivisionError]


def test_a_finalizer_of_a_value_may_use_the_cache():
    cache: SieveCache[Any, Any] = SieveCache(2)
    sizes = []

    class Loud:
        def __del__(self) -> None:
            sizes.append(len(cache))
            cache.get(1)

    cache.update({1: Loud(), 2: Loud()})
    for number in range(3, 9):
        cache[number] = Loud()
    cache.clear()
    gc.collect()
    assert len(sizes) == 8
    assert max(sizes) <= 2


# Memory


def test_a_cycle_through_a_cache_is_collected():
    class Logging(SieveCache):
        def __init__(self) -> None:
            super().__init__(3, on_evict=self.log)

        def log(self, *what: Any) -> None: ...

    made = [SieveCache(2), Logging()]
    for cache in made:
        cache["me"] = cache
    references = [weakref.ref(cache) for cache in made]
    del made, cache
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_a_deep_chain_of_caches_dies_without_exhausting_the_stack():
    run_function(die_deep)


def die_deep():
    """Nest caches and drop the outermost. Runs in a child."""
    from tamis import SieveCache

    cache = None
    for _ in range(200_000):
        outer = SieveCache(1)
        outer["inner"] = cache
        cache = outer
    del cache, outer


def test_a_million_operations_leave_memory_and_references_as_they_were():
    run_function(operate_on, 40_000, seconds=120)


def operate_on(rounds):
    """Do everything in turn, and see that neither memory nor references grow. Runs in a child."""
    import contextlib
    import gc
    import pickle
    import sys

    from tamis import SieveCache

    value, text = object(), "a key that is " + str(rounds)
    caches = [SieveCache(7), SieveCache(7, ttl=60, weigher=lambda _: 1, maxweight=5, on_evict=lambda *_: None)]

    def round_of(number):
        for cache in caches:
            for key in (number, text, (number % 9, "x"), float(number % 5), 1 << 70):
                cache[key] = value
                cache.get(key)
                assert key in cache
            cache.setdefault(text, value)
            cache.get_or_compute(number % 11, lambda: value)
            cache.pop(text, None)
            with contextlib.suppress(KeyError):
                del cache[text]
            cache.popitem()
            if number % 50 == 0:
                list(cache.items())
                cache.copy().clear()
                pickle.loads(pickle.dumps({1: cache.maxsize}))
                len(cache)

    def settled():
        for cache in caches:
            cache.clear()
        gc.collect()
        return sys.getrefcount(value), sys.getrefcount(text), sys.getrefcount(None) >> 8, len(gc.get_objects())

    for number in range(500):
        round_of(number)
    before = settled()
    blocks = sys.getallocatedblocks()
    for number in range(rounds):
        round_of(number)
    after = settled()
    assert after[:2] == before[:2], (before, after)
    assert after[3] - before[3] < 20, (before, after)
    assert sys.getallocatedblocks() - blocks < 500


# Threads


def in_threads(count: int, work: Any) -> list[BaseException]:
    """Run work(number) in so many threads at once, and return what they raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_threads_compute_each_key_once_and_all_get_that_result():
    cache: SieveCache[int, object] = SieveCache(None)
    computed: list[int] = []
    results: list[list[object]] = [[] for _ in range(8)]

    def work(number: int) -> None:
        for key in range(20):

            def make(key: int = key) -> object:
                computed.append(key)
                time.sleep(0.002)
                return object()

            results[number].append(cache.get_or_compute(key, make))

    assert in_threads(8, work) == []
    assert sorted(computed) == list(range(20))
    assert all(found == results[0] for found in results)
    stats = cache.stats()
    assert (stats["misses"], stats["hits"]) == (20, 140)


def test_an_error_of_the_factory_goes_to_all_who_wait_and_to_no_later_caller():
    cache: SieveCache[str, int] = SieveCache(3)
    inside = threading.Event()
    calls: list[int] = []

    def fail() -> int:
        calls.append(1)
        inside.set()
        deadline = time.monotonic() + 10
        while cache.stats()["coalesced"] == 0 and len(waiting) < 3 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.05)
        raise ZeroDivisionError

    waiting: list[int] = []

    def work(number: int) -> None:
        if number:
            inside.wait()
            waiting.append(number)
        with pytest.raises(ZeroDivisionError):
            cache.get_or_compute("k", fail)

    assert in_threads(4, work) == []
    assert len(calls) < 4
    assert cache.get_or_compute("k", lambda: 5) == 5


def test_a_factory_that_asks_for_its_own_key_computes_for_itself():
    cache: SieveCache[str, int] = SieveCache(3)
    assert cache.get_or_compute("k", lambda: cache.get_or_compute("k", lambda: 1) + 1) == 1
    assert cache["k"] == 1


def test_who_asks_after_a_deletion_does_not_get_what_was_being_computed_before():
    cache: SieveCache[str, str] = SieveCache(3)
    begun, go_on = threading.Event(), threading.Event()
    found: list[str] = []

    def old() -> str:
        begun.set()
        go_on.wait(20)
        return "old"

    first = threading.Thread(target=lambda: found.append(cache.get_or_compute("k", old)))
    first.start()
    begun.wait(20)
    cache.pop("k", None)
    assert cache.get_or_compute("k", lambda: "new") == "new"
    go_on.set()
    first.join()
    # The first caller finds the newer value stored, which stays.
    assert found == ["new"]
    assert cache["k"] == "new"


def test_threads_that_do_everything_at_once_keep_values_with_their_keys():
    cache: SieveCache[Any, Any] = SieveCache(40, on_evict=lambda *_: None)
    plain: SieveCache[Any, Any] = SieveCache(40)

    def work(number: int) -> None:
        rng = random.Random(number)
        for _ in range(3000):
            for mapping in (cache, plain):
                key: Any = rng.randrange(120)
                key = key if key % 3 else f"text {key}"
                operation = rng.randrange(12)
                if operation < 4:
                    assert mapping.get(key, ("value", key)) == ("value", key)
                elif operation < 8:
                    mapping[key] = ("value", key)
                elif operation == 8:
                    assert mapping.pop(key, ("value", key)) == ("value", key)
                elif operation == 9:
                    assert mapping.get_or_compute(key, lambda key=key: ("value", key)) == ("value", key)
                elif operation == 10:
                    assert all(value == ("value", key) for key, value in mapping.items())
                    assert len(mapping) <= 40
                else:
                    try:
                        key, value = mapping.popitem()
                        assert value == ("value", key)
                    except KeyError:
                        pass

    assert in_threads(4, work) == []
    assert len(cache) == len(list(cache)) <= 40
