"""What shared caches store: the bounds, values that have no bytes or too many, and serializers."""

from __future__ import annotations

import json
import pickle
import warnings

import pytest

from helpers.marks import for_shared_caches, has_two_functions_of_one_name
from helpers.region_tools import Unserializable, counted
from tamis import cache, lru_cache

pytestmark = [for_shared_caches, has_two_functions_of_one_name]


def test_entries_never_exceed_maxsize(shared):
    f = shared(maxsize=7)(lambda x: x)
    for x in range(100):
        f(x)
        assert f.cache_info().currsize == min(x + 1, 7)
    assert f.cache_stats()["evictions"] == 93
    # A near cache holds no value that the region has evicted.
    g = counted(lambda x: x)
    again = shared(maxsize=7)(g)
    assert [again(x) for x in range(100)] == list(range(100))


def test_maxsize_0_stores_nothing_and_opens_nothing(tmp_path):
    f = lru_cache(maxsize=0, backend="shared", path=tmp_path, name="none")(lambda x: x)
    assert f(1) == f(1) == 1
    assert f.cache_info() == (0, 2, 0, 0)
    assert f.cache_stats()["bytes"] == f.cache_stats()["recoveries"] == 0
    assert not list(tmp_path.iterdir())


def test_bytes_bound_the_entries_too(tmp_path):
    f = cache(backend="shared", path=tmp_path, name="small", max_bytes=1 << 18)(lambda x: bytes([x]) * 10_000)
    for x in range(100):
        assert f(x) == bytes([x]) * 10_000
    assert 5 < f.cache_info().currsize < 26
    assert f.cache_stats()["evictions"] == 100 - f.cache_info().currsize
    assert 0 < f.cache_stats()["bytes"] <= 1 << 18


def test_value_that_is_too_large_is_returned_and_not_stored(shared):
    g = counted(lambda x: b"x" * (2 << 20))
    f = shared()(g)
    assert len(f(1)) == len(f(1)) == 2 << 20
    assert len(g.calls) == 2
    assert f.cache_stats()["oversize"] == 2
    assert f.cache_info().currsize == 0


def test_key_that_is_too_large_is_no_error(shared):
    f = shared()(len)
    key = b"x" * (2 << 20)
    assert f(key) == f(key) == 2 << 20
    assert f.cache_stats()["oversize"] == 2
    assert not f.cache_contains(key)
    assert not f.cache_invalidate(key)


def test_value_that_cannot_be_serialized_is_returned_and_warned_of_once(shared):
    f = shared()(lambda x: Unserializable())
    with pytest.warns(RuntimeWarning, match="not this one"):
        assert isinstance(f(1), Unserializable)
    # A second warning would be an error here.
    assert isinstance(f(1), Unserializable)
    assert isinstance(f(2), Unserializable)
    assert f.cache_stats()["unserializable"] == 3
    assert f.cache_info() == (0, 3, 128, 0)


def test_value_that_cannot_be_stored_takes_the_old_one_away(shared):
    f = shared()(lambda x: x)
    f(1)
    f.cache_put(b"x" * (2 << 20), 1)
    assert not f.cache_contains(1)
    f(1)
    with pytest.warns(RuntimeWarning):
        f.cache_put(Unserializable(), 1)
    assert not f.cache_contains(1)


def test_interrupt_while_serializing_leaves_through_the_call(shared):
    class Interrupting:
        def __reduce__(self):
            raise KeyboardInterrupt

    f = shared()(lambda x: Interrupting())
    with pytest.raises(KeyboardInterrupt):
        f(1)


# ---- the serializer -------------------------------------------------------------------------------------------------


class Json:
    def __init__(self):
        self.loaded = 0

    def dumps(self, obj):
        return json.dumps(obj).encode()

    def loads(self, content):
        self.loaded += 1
        return json.loads(content)


def test_serializer_makes_all_values(shared):
    serializer = Json()
    f = shared(serializer=serializer)(lambda x: (x, {"a": None}))
    assert f(1) == (1, {"a": None})
    assert f(1) == f(1) == [1, {"a": None}]
    assert serializer.loaded == 2


def test_module_is_a_serializer(shared):
    f = shared(serializer=pickle)(lambda x: {x})
    assert f(1) == f(1) == {1}


def test_serializer_that_fails_is_as_pickle_that_fails(shared):
    f = shared(serializer=Json())(lambda x: {1, 2})
    with pytest.warns(RuntimeWarning, match="not JSON serializable"):
        assert f("a") == {1, 2}
    assert f.cache_info().currsize == 0


def test_serializer_that_returns_no_bytes_is_an_error(shared):
    f = shared(serializer=json)(lambda x: x)
    with pytest.raises(TypeError, match="serializer takes an object whose dumps"):
        f("a")


def test_entry_that_the_serializer_cannot_load_is_a_miss(shared):
    g = counted(lambda x: x)
    f = shared()(g)
    f("a")
    other = shared(serializer=Json())(g)
    assert other("a") == other("a") == "a"
    assert len(g.calls) == 2


def test_warning_turned_to_an_error_leaves_through_the_call(shared):
    f = shared()(lambda x: Unserializable())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            f(1)
