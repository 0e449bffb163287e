"""The C API: calls, lookups and changes of entries."""

from __future__ import annotations

import pytest

import tamis
import tamis._core
from helpers.capi_tools import BadEq, BadHash, Refuse, Thing, listed
from tamis import lru_cache


def test_call_computes_once_and_then_hits(api):
    f = api.make(listed, {"maxsize": 10})
    for args, kwargs in [((1,), {}), ((1, "a", 2.5), {}), ((), {"b": 1}), ((1, 2), {"c": 3, "d": None}), ((), {})]:
        first = api.call(f, *args, **kwargs)
        assert first == [args, kwargs]
        assert api.call(f, *args, **kwargs) is first
        # The same entries as those of calls from Python.
        assert f(*args, **kwargs) is first
    assert f.cache_info() == (10, 5, 10, 5)


def test_call_without_arguments_takes_a_null_pointer(api):
    f = api.make(listed)
    assert api.call_without_arguments(f) is f()


def test_flag_of_vectorcall_is_no_part_of_the_number_of_arguments(api):
    f = api.make(listed)
    assert api.call_with_room(f, 5) == [(5,), {}]
    assert api.counts(f)["currsize"] == 0


def test_call_raises_what_the_function_raises_and_stores_nothing(api):
    @lru_cache
    def f(x):
        raise Refuse(x)

    for _ in range(2):
        with pytest.raises(Refuse):
            api.call(f, 1)
    assert f.cache_info().currsize == 0


def test_lookup_tells_a_stored_none_from_nothing(api):
    f = api.make(lambda x: None)
    assert api.lookup(f, 1) is None
    api.call(f, 1)
    assert api.lookup(f, 1) == (None,)
    assert api.lookup(f, 1, 2) is None
    assert api.lookup(f, x=1) is None


def test_lookup_never_calls_the_function_and_counts_as_a_call_does(api):
    calls = []
    f = api.make(calls.append)
    assert api.lookup(f, 1) is None
    assert calls == []
    api.put(f, "value", 1)
    assert api.lookup(f, 1) == ("value",)
    assert f.cache_info() == (1, 1, 128, 1)


def test_lookup_is_a_use_of_the_entry_and_contains_is_none(api):
    f = api.make(listed, {"maxsize": 3})
    for number in range(3):
        api.call(f, number)
    assert api.lookup(f, 0) is not None
    assert api.contains(f, 1)
    api.call(f, 3)
    assert [api.contains(f, number) for number in range(4)] == [True, False, True, True]


@pytest.mark.parametrize("typed", [False, True])
def test_lookup_finds_equal_keys_of_every_kind(api, typed):
    f = api.make(listed, {"typed": typed, "maxsize": None})

    class Key:
        def __hash__(self):
            return 3

        def __eq__(self, other):
            return isinstance(other, Key)

    keys = [(5,), (-1,), (1 << 70,), ("text",), (2.5,), (None,), (("a", 1),), (Key(),), (1, "a"), (1, 2, 3, Key()), ()]
    for key in keys:
        api.put(f, key, *key)
    copies = [tuple(Key() if isinstance(item, Key) else item for item in key) for key in keys]
    assert [api.lookup(f, *key) for key in copies] == [(key,) for key in keys]
    assert api.lookup(f, 5.0) is None
    assert api.lookup(f, 1.0, "a") == (None if typed else ((1, "a"),))
    assert f.cache_info().hits == len(keys) + (not typed)


def test_lookup_with_maxsize_0_finds_nothing(api):
    f = api.make(listed, {"maxsize": 0})
    api.put(f, 1, 1)
    api.call(f, 1)
    assert api.lookup(f, 1) is None
    assert api.contains(f, 1) is False
    assert api.invalidate(f, 1) is False
    assert f.cache_info() == (0, 2, 0, 0)


def test_put_replaces_and_invalidate_drops(api):
    f = api.make(listed)
    assert api.invalidate(f, 1, a=2) is False
    assert api.put(f, "first", 1, a=2) is None
    assert api.put(f, "second", 1, a=2) is None
    assert api.call(f, 1, a=2) == "second"
    assert api.invalidate(f, 1, a=2) is True
    assert api.contains(f, 1, a=2) is False
    assert api.call(f, 1, a=2) == [(1,), {"a": 2}]


def test_clear_drops_all_and_counts_from_zero(api):
    f = api.make(listed)
    for number in range(20):
        api.call(f, number)
    assert api.clear(f) is None
    assert f.cache_info() == (0, 0, 128, 0)


def test_check_knows_caches_of_functions_alone(api):
    class Class:
        @tamis.cached_method
        def method(self):
            return 1

    assert api.check(lru_cache(len)) is True
    assert api.check(tamis.cache(ttl=1)(len)) is True
    for other in (len, None, Class.method, Class().method, lru_cache(), type(lru_cache(len)), Class, 1, tamis._core):
        assert api.check(other) is False


@pytest.mark.parametrize("operation", ["call", "lookup", "contains", "put", "invalidate", "clear", "counts"])
def test_what_is_no_cache_is_a_type_error(api, operation):
    for other in (len, None, object(), listed, Thing):
        arguments = [1, 2] if operation not in ("clear", "counts") else []
        with pytest.raises(TypeError, match=r"a function with a cache of tamis is needed here, not \w+"):
            getattr(api, operation)(other, *arguments)


@pytest.mark.parametrize("options", [{}, {"ttl": 60}, {"typed": True, "maxsize": None}])
def test_hash_and_eq_that_raise_leave_through_every_function(api, options):
    f = api.make(listed, options)
    stored = BadEq()
    for operation in (api.call, api.lookup, api.contains, api.invalidate):
        with pytest.raises(Refuse, match="hash"):
            operation(f, BadHash())
        with pytest.raises(TypeError, match="unhashable"):
            operation(f, 1, b=[])
    with pytest.raises(Refuse, match="hash"):
        api.put(f, 1, BadHash())
    api.put(f, 1, stored)
    for operation in (api.call, api.lookup, api.contains, api.invalidate):
        with pytest.raises(Refuse, match="eq"):
            operation(f, BadEq())
    with pytest.raises(Refuse, match="eq"):
        api.put(f, 2, BadEq())
    assert api.lookup(f, stored) == (1,)
    assert f.cache_info().currsize == 1


def test_eq_that_clears_the_cache_ends_as_absent(api):
    f = api.make(listed, {"maxsize": None})

    class Clears:
        def __hash__(self):
            return 5

        def __eq__(self, other):
            api.clear(f)
            return True

    api.put(f, Thing(), Clears())
    assert api.lookup(f, Clears()) is None
    assert f.cache_info().currsize == 0
