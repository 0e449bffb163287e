"""Copies and pickles of SieveCache."""

from __future__ import annotations

import copy
import pickle
import time

import pytest

from tamis import SieveCache


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
        (2, {"stale": 1}, [], 0, None),
    ],
)
def test_a_damaged_state_is_refused(state):
    with pytest.raises((TypeError, ValueError)):
        SieveCache.__new__(SieveCache).__setstate__(state)


def test_a_state_of_more_than_fits_keeps_the_bound():
    cache = SieveCache.__new__(SieveCache)
    cache.__setstate__((2, {}, [(number, number, True, None, 0) for number in range(10)], 10**9, None))
    assert len(cache) == 2


def test_a_copy_and_a_pickle_expire_when_the_original_does():
    cache = SieveCache(10, ttl=0.08)
    cache["a"] = 1
    time.sleep(0.05)
    copies = [cache.copy(), pickle.loads(pickle.dumps(cache))]
    time.sleep(0.04)
    assert [list(made) for made in copies] == [[], []]
