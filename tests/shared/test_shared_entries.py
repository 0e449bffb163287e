"""The methods of shared caches, several wrappers over one region, and the near cache."""

from __future__ import annotations

import gc
import sys

import pytest

from helpers.marks import for_shared_caches, has_two_functions_of_one_name
from helpers.region_tools import Colour, counted

pytestmark = [for_shared_caches, has_two_functions_of_one_name]


# ---- the entry of one call ------------------------------------------------------------------------------------------


def test_entries_are_looked_for_dropped_put_and_refreshed(shared):
    g = counted(lambda x: f"value {x}")
    f = shared()(g)
    assert not f.cache_contains(1)
    assert f(1) == "value 1"
    assert f.cache_contains(1)
    assert not f.cache_contains(1.0)
    assert f.cache_invalidate(1)
    assert not f.cache_invalidate(1)
    assert not f.cache_contains(1)
    f.cache_put("other", 1)
    assert f(1) == "other"
    f.cache_put("third", 1)
    assert f(1) == "third"
    assert f.cache_refresh(1) == "value 1"
    assert f(1) == "value 1"
    assert len(g.calls) == 2
    assert f.cache_stats()["invalidations"] == 1
    assert f.cache_info() == (3, 1, 128, 1)


def test_clearing_drops_entries_and_counts(shared):
    g = counted(lambda x: x)
    f = shared()(g)
    for x in (1, 2, 1):
        f(x)
    f.cache_clear()
    assert f.cache_info() == (0, 0, 128, 0)
    assert {name: count for name, count in f.cache_stats().items() if count and name != "recoveries"} == {}
    f(1)
    assert len(g.calls) == 3


def test_stats_have_all_names(shared):
    f = shared()(lambda x: x)
    f(1)
    stats = f.cache_stats()
    names = "hits misses evictions expirations invalidations stale_hits coalesced currsize weight"
    assert set(stats) == {*names.split(), "bytes", "oversize", "unserializable", "recoveries"}
    assert stats["bytes"] > 0


# ---- two wrappers of one region -------------------------------------------------------------------------------------


def test_wrappers_of_one_name_share_entries_and_counts(shared):
    g, h = counted(lambda x: "of g"), counted(lambda x: "of h")
    f, e = shared()(g), shared()(h)
    assert f("a") == "of g"
    assert e("a") == f("a") == "of g"
    assert not h.calls
    assert f.cache_info() == e.cache_info() == (2, 1, 128, 1)


@pytest.mark.parametrize("key", [1, "a", (1, "a"), 2.5, b"b", None, frozenset([1]), Colour.RED], ids=repr)
def test_near_cache_sees_what_others_do_at_once(shared, key):
    f, e = shared()(lambda x: "first"), shared()(lambda x: "second")
    assert f(key) == f(key) == e(key) == "first"
    e.cache_put("put", key)
    assert f(key) == "put"
    assert e.cache_invalidate(key)
    assert not f.cache_contains(key)
    assert e(key) == "second"
    assert f(key) == "second"
    e.cache_clear()
    assert f(key) == "first"


def test_near_cache_keeps_no_object_of_an_entry_that_is_gone(shared):
    f = shared()(lambda x: (x, "a value of its own"))
    f(1)
    value = f(1)
    f.cache_invalidate(1)
    assert not f.cache_contains(1)
    f.cache_put("b", 1)
    f(1)
    assert not any(
        other is value for other in gc.get_referrers(value) if isinstance(other, dict) and other is not locals()
    )
    assert sys.getrefcount(value) <= 3
