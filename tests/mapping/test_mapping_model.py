"""SieveCache beside a SIEVE in plain Python: the same entries, marks, hand and victims after any operations."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from helpers.mapping_tools import WAYS_TO_MAKE
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
