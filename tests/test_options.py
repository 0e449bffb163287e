"""The options beside maxsize and typed: what they do, and what they refuse."""

from __future__ import annotations

import copy
import datetime
import gc
import itertools
import sys
import weakref

import pytest
from option_tools import Evictions, Time

import tamis
from tamis import cache, lru_cache


@pytest.fixture
def time():
    return Time()


def fresh_list(*args, **kwargs):
    return [args, kwargs]


# ---- time to live ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [10, 10.0, datetime.timedelta(seconds=10), lambda result: 10])
def test_entry_is_fresh_until_its_ttl_is_over(time, ttl):
    f = lru_cache(ttl=ttl, clock=time)(fresh_list)
    first = f(1)
    time.now += 9.9
    assert f(1) is first
    assert f.cache_contains(1)
    time.now += 0.1
    assert not f.cache_contains(1)
    assert f.cache_info().currsize == 1
    second = f(1)
    assert second is not first
    assert f.cache_info() == (1, 2, 128, 1)
    assert f.cache_stats()["expirations"] == 1
    time.now += 9.9
    assert f(1) is second


def test_ttl_counts_from_when_the_result_was_stored(time):
    @cache(ttl=10, clock=time)
    def slow(x):
        time.now += 100
        return object()

    first = slow(1)
    assert slow(1) is first


def test_ttl_of_each_result_can_be_its_own(time):
    f = cache(ttl=lambda result: result, clock=time)(lambda seconds: seconds)
    assert [f(5), f(None), f(0)] == [5, None, 0]
    assert [f.cache_contains(key) for key in (5, None, 0)] == [True, True, False]
    time.now += 5
    assert [f.cache_contains(key) for key in (5, None, 0)] == [False, True, False]


def test_error_of_the_ttl_callable_leaves_through_the_call():
    f = cache(ttl=lambda result: 1 / 0)(fresh_list)
    with pytest.raises(ZeroDivisionError):
        f(1)
    assert f.cache_info().currsize == 0
    with pytest.raises(TypeError, match="ttl callable must return seconds"):
        cache(ttl=lambda result: "1")(fresh_list)(1)


def test_expired_entry_takes_no_second_slot(time):
    f = lru_cache(maxsize=2, ttl=1, clock=time)(fresh_list)
    for _ in range(20):
        f(1)
        f(2)
        assert f.cache_info().currsize == 2
        time.now += 1
    assert f.cache_stats()["evictions"] == 0


def test_entry_that_is_not_read_for_its_tti_is_dropped(time):
    f = cache(tti=10, clock=time)(fresh_list)
    first = f(1)
    for _ in range(5):
        time.now += 9
        assert f(1) is first
    time.now += 10
    assert f(1) is not first


def test_looking_does_not_count_as_reading(time):
    f = cache(tti=10, clock=time)(fresh_list)
    first = f(1)
    time.now += 9
    assert f.cache_contains(1)
    time.now += 1
    assert f(1) is not first


def test_jitter_shortens_each_ttl_by_its_own_part(time):
    f = cache(ttl=100, jitter=0.5, clock=time)(lambda x: x)
    for key in range(200):
        f(key)
    left = []
    for _ in range(10):
        left.append(sum(f.cache_contains(key) for key in range(200)))
        time.now += 10
    assert left[:5] == [200] * 5, "no entry loses more than half"
    assert all(before > after for before, after in itertools.pairwise(left[5:])), left
    assert not any(f.cache_contains(key) for key in range(200))


def test_stale_entry_is_returned_to_all_but_one(time):
    calls = []

    @cache(ttl=10, stale=5, clock=time)
    def f(x):
        calls.append(x)
        if len(calls) == 2:
            inside.append(f(x))
        return object()

    inside = []
    first = f(1)
    time.now += 10
    second = f(1)
    assert second is not first
    assert inside == [first], "a call during the recomputation gets the old value"
    assert calls == [1, 1]
    assert f.cache_stats()["stale_hits"] == 1
    time.now += 15
    assert f(1) is not second


def test_failed_refresh_leaves_the_stale_value(time):
    failing = []

    @cache(ttl=10, stale=5, clock=time)
    def f(x):
        if failing:
            raise LookupError
        return object()

    first = f(1)
    time.now += 11
    failing.append(True)
    for _ in range(2):
        with pytest.raises(LookupError):
            f(1)
        assert f.cache_contains(1)
    failing.clear()
    assert f(1) is not first


@pytest.mark.parametrize("options", [{"ttl": 0.05}, {"ttl": 1.5}, {"tti": 0.05}])
def test_without_a_clock_of_its_own_a_cache_uses_real_time(options):
    import time as real

    f = cache(**options)(fresh_list)
    first = f(1)
    assert f(1) is first
    real.sleep(max(options.values()) + 0.05)
    assert f(1) is not first


def test_error_of_the_clock_leaves_through_the_call():
    def broken():
        raise LookupError

    f = cache(ttl=1, clock=broken)(fresh_list)
    with pytest.raises(LookupError):
        f(1)
    with pytest.raises(TypeError, match="clock must return seconds"):
        cache(ttl=1, clock=lambda: "now")(fresh_list)(1)


# ---- keys -----------------------------------------------------------------------------------------------------------


def test_key_takes_the_place_of_the_arguments():
    calls = []

    @cache(key=lambda user, *rest, **more: user["id"])
    def f(user, *rest, **more):
        calls.append(user)
        return user["name"]

    assert f({"id": 1, "name": "a"}) == f({"id": 1, "name": "b"}, 2, three=3) == "a"
    assert f({"id": 2, "name": "c"}) == "c"
    assert f.cache_contains({"id": 2})
    assert f.cache_invalidate({"id": 1}) is True
    assert f({"id": 1, "name": "d"}) == "d"
    with pytest.raises(KeyError):
        f({})
    with pytest.raises(TypeError, match="unhashable"):
        cache(key=lambda x: [])(fresh_list)(1)


def test_ignored_parameter_is_left_out_however_it_is_given():
    calls = []

    @cache(ignore=["verbose", "log"])
    def f(a, verbose=False, b=0, *, log=None, c=0):
        calls.append((a, b, c))
        return len(calls)

    assert f(1) == f(1, True) == f(1, verbose=True) == f(1, log=print) == f(1, False, log=1) == 1
    assert f(1, True, 2) == f(1, False, 2, log=3) == 2
    assert f(1, c=5) == f(1, verbose=True, c=5, log=1) == f(1, log=7, c=5) == 3
    assert f(1, b=2) == f(1, verbose=0, b=2) == 4
    assert calls == [(1, 0, 0), (1, 2, 0), (1, 0, 5), (1, 2, 0)]


def test_collected_arguments_can_be_ignored():
    f = cache(ignore=("rest", "more"))(lambda a, *rest, b=0, **more: object())
    assert f(1) is f(1, 2, 3) is f(1, c=4) is f(1, 2, d=5, e=6)
    assert f(1, b=1) is f(1, 9, b=1, c=3)
    assert f(1) is not f(1, b=1)


def test_ignoring_self_makes_a_method_share_its_results():
    class Reader:
        @cache(ignore="self")
        def read(self, path):
            return object()

    assert Reader().read("a") is Reader().read("a")
    assert Reader().read("a") is not Reader().read("b")


@pytest.mark.parametrize(
    ("ignore", "function"), [("nope", lambda a: a), (["a", "nope"], lambda a: a), ("x", dict.fromkeys), ("x", type)]
)
def test_ignore_names_parameters_of_the_function(ignore, function):
    with pytest.raises(ValueError, match="ignore"):
        cache(ignore=ignore)(function)


# ---- weight, eviction, copies ---------------------------------------------------------------------------------------


def test_total_weight_is_a_bound():
    evicted = Evictions()
    f = cache(weigher=len, maxweight=10, on_evict=evicted)(lambda text: text)
    for text in ("abcd", "efgh", "ij"):
        f(text)
    assert f.cache_stats()["weight"] == 10
    f("k")
    assert evicted == [("abcd", "abcd", "size")]
    assert f.cache_stats()["weight"] == 7
    assert f("a text that is too heavy") == "a text that is too heavy"
    assert not f.cache_contains("a text that is too heavy")
    f.cache_put("123456789", "k")
    assert f.cache_stats()["weight"] <= 10
    assert f("k") == "123456789"
    f.cache_clear()
    assert f.cache_stats()["weight"] == 0


def test_value_that_became_too_heavy_takes_the_old_one_with_it():
    evicted = Evictions()
    f = cache(weigher=len, maxweight=3, on_evict=evicted)(lambda x: "ab")
    f(1)
    f.cache_put("abcdef", 1)
    assert not f.cache_contains(1)
    assert evicted == [(1, "ab", "replaced")]


@pytest.mark.parametrize(
    ("weight", "error"), [(-1, ValueError), (1.5, TypeError), (None, TypeError), (True, TypeError)]
)
def test_weigher_returns_a_whole_number(weight, error):
    f = cache(weigher=lambda value: weight, maxweight=3)(fresh_list)
    with pytest.raises(error, match="weigher must return"):
        f(1)


def test_on_evict_tells_why_an_entry_has_left(time):
    evicted = Evictions()
    f = lru_cache(maxsize=2, ttl=10, clock=time, on_evict=evicted)(lambda *args, **kwargs: (args, kwargs))
    f(1)
    f(2, 3)
    f(4, a=5)
    assert evicted == [(1, ((1,), {}), "size")]
    assert f.cache_invalidate(2, 3)
    assert evicted[1:] == [((2, 3), ((2, 3), {}), "invalidated")]
    f.cache_put("new", 4, a=5)
    assert evicted[2:] == [(((4,), {"a": 5}), ((4,), {"a": 5}), "replaced")]
    time.now += 10
    f(4, a=5)
    assert evicted[3:] == [(((4,), {"a": 5}), "new", "expired")]
    f()
    f.cache_clear()
    assert sorted(cause for _, _, cause in evicted[4:]) == ["cleared", "cleared"]
    assert () in [key for key, _, _ in evicted[4:]]


def test_on_evict_may_call_back_and_its_errors_harm_nobody(monkeypatch):
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)

    def callback(key, value, cause):
        f.cache_info()
        if key == 3:
            f.cache_clear()
        elif key < 50:
            f(key + 100)
        raise LookupError(key)

    f = lru_cache(maxsize=1, on_evict=callback)(lambda x: x)
    f(1)
    assert f(3) == 3
    assert f(4) == 4
    assert {type(report.exc_value) for report in unraisable} == {LookupError}
    assert f.cache_info().currsize <= 1


@pytest.mark.parametrize("how", [True, copy.copy, list])
def test_hits_return_copies(how):
    f = cache(copy=how)(lambda x: [x, [x]])
    first = f(1)
    second, third = f(1), f(1)
    assert first == second == third
    assert second is not third
    second.append("changed")
    assert f(1) == [1, [1]]
    if how is True:
        third[1].append("changed")
        assert f(1) == [1, [1]]


def test_without_copy_hits_return_the_value_itself():
    f = cache(copy=False)(fresh_list)
    assert f(1) is f(1)


# ---- wrong values ---------------------------------------------------------------------------------------------------

NOT_SECONDS = [None, "1", True, [], b"1", 1j]
WRONG = [
    *[("ttl", value, TypeError) for value in NOT_SECONDS],
    *[(name, value, TypeError) for name in ("tti", "stale") for value in [*NOT_SECONDS, len]],
    *[(name, value, ValueError) for name in ("ttl", "tti", "stale") for value in (0, -1, -0.5, float("nan"))],
    *[(name, datetime.timedelta(seconds=-1), ValueError) for name in ("ttl", "tti", "stale")],
    *[("jitter", value, TypeError) for value in (None, "0.5", True, len)],
    *[("jitter", value, ValueError) for value in (-0.1, 1.1, 2, float("nan"))],
    *[(name, value, TypeError) for name in ("key", "weigher", "on_evict", "clock") for value in (None, 1, "len")],
    *[("ignore", value, TypeError) for value in (None, 1, [1], ["a", None])],
    *[("maxweight", value, TypeError) for value in (None, 1.5, "1", True)],
    *[("maxweight", value, ValueError) for value in (-1, 1 << 70)],
    *[("copy", value, TypeError) for value in (None, 1, "deep")],
    *[("backend", value, ValueError) for value in (None, "disk", 1)],
]


@pytest.mark.parametrize(("name", "value", "error"), WRONG, ids=[f"{name}-{value!r}" for name, value, _ in WRONG])
@pytest.mark.parametrize("decorator", [lru_cache, cache])
def test_wrong_value_is_refused_at_once_and_the_option_is_named(decorator, name, value, error):
    with pytest.raises(error, match=name):
        decorator(**{name: value})
    if decorator is cache:
        with pytest.raises(error, match=name):
            cache(len, **{name: value})


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"stale": 1}, "stale"),
        ({"jitter": 0.1}, "jitter"),
        ({"weigher": len}, "maxweight"),
        ({"maxweight": 3}, "weigher"),
        ({"key": len, "ignore": "x"}, "ignore"),
    ],
)
def test_options_that_need_or_exclude_others_say_so(options, named):
    with pytest.raises(ValueError, match=named):
        lru_cache(**options)


def test_unknown_option_is_named_with_those_there_are():
    with pytest.raises(TypeError, match=r"'tll'.*ttl.*on_evict"):
        lru_cache(tll=3)


# ---- what holds for all ---------------------------------------------------------------------------------------------


def test_given_options_are_among_the_parameters(time):
    given = {"ttl": datetime.timedelta(seconds=3), "jitter": 0.5, "clock": time, "copy": False}
    f = lru_cache(maxsize=7, typed=True, **given)(fresh_list)
    assert f.cache_parameters() == {"maxsize": 7, "typed": True, **given}
    f.cache_parameters().clear()
    assert f.cache_parameters()["jitter"] == 0.5


def test_one_decorator_makes_many_caches(time):
    decorate = lru_cache(maxsize=2, ttl=3, clock=time)
    f, g = decorate(lambda x: "f"), decorate(lambda x: "g")
    assert f(1) == "f"
    assert g(1) == "g"
    assert not g.cache_contains(2)


@pytest.mark.parametrize("options", [{"ttl": 5}, {"key": lambda x: x}, {"weigher": lambda v: 1, "maxweight": 9}])
def test_maxsize_zero_stores_nothing(options):
    f = lru_cache(maxsize=0, **options)(fresh_list)
    assert f(1) is not f(1)
    assert f.cache_info() == (0, 2, 0, 0)
    assert not f.cache_contains(1)
    assert f.cache_invalidate(1) is False


def test_plain_cache_has_stats_too():
    f = lru_cache(maxsize=2)(lambda x: x)
    for key in (1, 1, 2, 3, 4):
        f(key)
    f.cache_invalidate(4)
    stats = f.cache_stats()
    assert stats == {
        "hits": 1,
        "misses": 4,
        "evictions": 2,
        "expirations": 0,
        "invalidations": 1,
        "stale_hits": 0,
        "coalesced": 0,
        "currsize": 1,
        "weight": 0,
    }
    f.cache_clear()
    assert not any(f.cache_stats().values())


def test_clearing_zeroes_all_that_was_counted(time):
    f = lru_cache(maxsize=2, ttl=1, stale=1, clock=time, on_evict=lambda *args: None)(fresh_list)
    for key in range(5):
        f(key)
    time.now += 5
    f(4)
    f.cache_clear()
    assert not any(f.cache_stats().values())


@pytest.mark.parametrize("option", ["key", "on_evict", "ttl", "weigher", "copy", "clock"])
def test_cycle_through_an_option_is_collected(option):
    class Holder:
        def __call__(self, *args):
            return 1

    holder = Holder()
    options = {option: holder} | ({"maxweight": 5} if option == "weigher" else {})
    options |= {"ttl": 5} if option == "clock" else {}
    holder.cached = cache(**options)(fresh_list)
    holder.cached(1)
    reference = weakref.ref(holder)
    del holder, options
    gc.collect()
    assert reference() is None


def test_cycle_through_a_value_is_collected():
    class Value:
        pass

    f = cache(ttl=100)(lambda x: Value())
    f(1).cache = f
    reference = weakref.ref(f(1))
    del f
    gc.collect()
    assert reference() is None


def test_module_says_what_it_has():
    assert {"lru_cache", "cache", "CacheInfo"} <= set(tamis.__all__)


# ---- what a review found --------------------------------------------------------------------------------------------


def test_on_evict_that_stores_while_the_cache_is_cleared_keeps_the_weight_right():
    def callback(key, value, cause):
        if cause == "cleared" and key < 100:
            f.cache_put("x" * 10, key + 100)

    f = cache(weigher=len, maxweight=100, on_evict=callback)(lambda x: "x" * 10)
    for key in range(5):
        f(key)
    f.cache_clear()
    assert f.cache_stats()["weight"] == 10 * f.cache_info().currsize
    f.cache_clear()
    assert f.cache_stats()["weight"] == 10 * f.cache_info().currsize == 0


def test_value_that_grew_makes_only_as_much_room_as_it_needs():
    f = cache(weigher=lambda value: value, maxweight=20)(lambda x: 1)
    for key in ("X", 0, 1, 2, 3, 4):
        f(key)
        f(key)
    f.cache_put(18, "X")
    stats = f.cache_stats()
    assert stats["weight"] <= 20
    assert stats["currsize"] > 0
    assert stats["weight"] == sum(f(key) for key in ("X", 0, 1, 2, 3, 4) if f.cache_contains(key))


@pytest.mark.parametrize("single_flight", [False, True])
def test_refresh_is_tried_again_after_an_error(time, single_flight):
    fails = []

    @cache(ttl=10, stale=1000, clock=time, single_flight=single_flight)
    def f(x):
        if fails:
            raise LookupError
        return object()

    first = f(1)
    time.now += 11
    fails.append(1)
    for _ in range(3):
        with pytest.raises(LookupError):
            f(1)
    fails.clear()
    assert f(1) is not first
    assert f.cache_stats()["stale_hits"] == 0


def test_error_through_a_flight_keeps_its_context():
    @cache(single_flight=True)
    def f(x):
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError:
            raise ValueError(x)  # noqa: B904

    try:
        raise KeyError
    except KeyError:
        with pytest.raises(ValueError, match="1") as caught:
            f(1)
    assert isinstance(caught.value.__context__, ZeroDivisionError)
    assert isinstance(caught.value.__context__.__context__, KeyError)


def test_ignored_names_may_come_from_an_iterator():
    f = cache(ignore=iter(["a"]))(lambda a, b: object())
    assert f(1, 2) is f(2, 2)
    with pytest.raises(KeyboardInterrupt):
        cache(ignore=(1 / 0 if False else raises(KeyboardInterrupt) for _ in "a"))


def raises(error):
    raise error


@pytest.mark.parametrize("name", ["ttl", "tti"])
def test_time_beyond_all_floats_is_for_ever(name):
    f = cache(**{name: 10**400})(fresh_list)
    assert f(1) is f(1)
    with pytest.raises(ValueError, match=name):
        cache(**{name: -(10**400)})


def test_stale_read_counts_as_reading(time):
    inside = []

    @cache(ttl=1, stale=100, tti=5, clock=time)
    def f(x):
        if inside:
            time.now += 4
            inside.append(f(x))
            time.now += 2
            inside.append(f(x))
        return object()

    first = f(1)
    time.now += 2
    inside.append(None)
    f(1)
    assert inside[1:] == [first, first]
