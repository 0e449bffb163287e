"""SieveCache: what a mapping does, with the queue, marks and victims of SIEVE."""

from __future__ import annotations

import collections.abc
import copy
from typing import Any

import pytest

from tamis import SieveCache


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
        ((1,), {"stale": 3}, TypeError, "unexpected keyword argument 'stale': it takes maxsize.*on_evict"),
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
