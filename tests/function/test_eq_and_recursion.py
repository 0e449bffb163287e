"""Keys whose __eq__ changes the cache that compares them, and cached functions that call themselves without end."""

from __future__ import annotations

import pytest

from helpers.subprocess_tools import run_function


def eq_clears():
    from tamis import lru_cache

    class Key:
        def __hash__(self):
            return 1

        def __eq__(self, other):
            f.cache_clear()
            return self is other

    for maxsize in (1, 2, 8):

        @lru_cache(maxsize)
        def f(key):
            return key

        keys = [Key() for _ in range(20)]
        for key in keys * 5:
            assert f(key) is key
            assert f.cache_info().currsize <= maxsize


def test_eq_that_clears_the_cache_keeps_the_size_bound():
    run_function(eq_clears)


def eq_replaces_itself():
    from tamis import lru_cache

    class Key:
        calls = 0

        def __hash__(self):
            return 1

        def __eq__(self, other):
            Key.calls += 1
            # Ends a search that would go on for ever.
            assert Key.calls < 10_000, "the search does not end"
            f.cache_clear()
            # Nothing to compare with: this asks no __eq__.
            f.cache_put("put by __eq__", Key())
            return True

    for maxsize in (1, 8, None):

        @lru_cache(maxsize)
        def f(key):
            return "returned"

        f.cache_put("first", Key())
        Key.calls = 0
        assert f(Key()) in {"first", "put by __eq__", "returned"}
        assert isinstance(f.cache_contains(Key()), bool)
        assert isinstance(f.cache_invalidate(Key()), bool)
        f.cache_put("second", Key())
        assert f.cache_refresh(Key()) == "returned"
        assert f.cache_info().currsize == 1


def test_eq_that_throws_its_entry_out_and_puts_an_equal_one_back_does_not_hang():
    run_function(eq_replaces_itself)


def eq_adds_a_colliding_key():
    from tamis import lru_cache

    most = 10_000

    class Key:
        calls = 0
        adding = False

        def __hash__(self):
            return 1

        def __eq__(self, other):
            if not Key.adding:
                Key.calls += 1
                if Key.calls < most:
                    Key.adding = True
                    f.cache_put("another", Key())
                    Key.adding = False
            return False

    @lru_cache(8)
    def f(key):
        return "returned"

    f.cache_put("first", Key())
    Key.calls = 0
    assert f(Key()) == "returned"
    assert Key.calls < most, "the search does not end"
    assert f.cache_info().currsize <= 8


def test_eq_that_adds_a_colliding_key_each_time_does_not_hang():
    run_function(eq_adds_a_colliding_key)


def eq_calls_the_same_function():
    from tamis import lru_cache

    class Key:
        comparisons = 0
        nested = False

        def __init__(self, number):
            self.number = number

        def __hash__(self):
            return 1

        def __eq__(self, other):
            Key.comparisons += 1
            # Ends a search that would go on for ever.
            assert Key.comparisons < 200_000, "the search does not end"
            if not Key.nested:
                Key.nested = True
                try:
                    for number in range(4):
                        assert f(Key(number)) == number
                finally:
                    Key.nested = False
            return self.number == other.number

    for maxsize in (1, 2, 3, 8, None):

        @lru_cache(maxsize)
        def f(key):
            return key.number

        for _ in range(2):
            for number in range(4):
                assert f(Key(number)) == number
        Key.nested = True
        assert f.cache_info().currsize == sum(f.cache_contains(Key(number)) for number in range(4))
        Key.nested = False
        Key.comparisons = 0


def test_keys_whose_eq_calls_the_same_cached_function_get_right_answers():
    run_function(eq_calls_the_same_function)


def one_hash_for_all():
    from tamis import lru_cache

    class Key:
        comparisons = 0

        def __init__(self, number):
            self.number = number

        def __hash__(self):
            return 42

        def __eq__(self, other):
            Key.comparisons += 1
            return self.number == other.number

    count = 1000
    for maxsize in (count, None):

        @lru_cache(maxsize)
        def f(key):
            return key.number

        Key.comparisons = 0
        for _ in range(2):
            assert [f(Key(number)) for number in range(count)] == list(range(count))
        info = f.cache_info()
        assert (info.hits, info.misses, info.currsize) == (count, count, count)
        # A search compares with each entry once at most: what was refused is not asked again.
        assert Key.comparisons <= 2 * count * count
        assert all(f.cache_invalidate(Key(number)) for number in range(0, count, 2))
        assert [f.cache_contains(Key(number)) for number in range(count)] == [False, True] * (count // 2)


def test_a_thousand_keys_of_one_hash_are_all_found():
    run_function(one_hash_for_all)


def recursion_through(part):
    import sys

    from tamis import lru_cache

    class Key:
        wild = False

        def __init__(self, number):
            self.number = number

        def __hash__(self):
            if Key.wild and part == "hash":
                f(Key(self.number + 1))
            return 1

        def __eq__(self, other):
            if Key.wild and part == "eq":
                f(Key(other.number + 1))
            return self.number == other.number

    @lru_cache(maxsize=None)
    def f(key):
        if Key.wild and part == "function":
            return f(Key(key.number + 1))
        return key.number

    assert f(Key(-1)) == -1
    for limit in (200, 1000):
        sys.setrecursionlimit(limit)
        Key.wild = True
        try:
            f(Key(0))
        except RecursionError:
            pass
        else:
            raise AssertionError("no RecursionError")
        finally:
            Key.wild = False
        # As functools: what the innermost calls returned may be stored, and no error is.
        assert f.cache_info().currsize == sum(f.cache_contains(Key(number)) for number in range(-1, limit))
        assert f(Key(-1)) == -1


@pytest.mark.parametrize("part", ["function", "hash", "eq"])
def test_recursion_without_end_raises_recursion_error(part):
    run_function(recursion_through, part)


def mutual_recursion():
    from tamis import lru_cache

    @lru_cache(maxsize=16)
    def is_even(n):
        return n == 0 or is_odd(n - 1)

    @lru_cache(maxsize=16)
    def is_odd(n):
        return n != 0 and is_even(n - 1)

    for n in range(300):
        assert is_even(n) is (n % 2 == 0)
        assert is_odd(n) is (n % 2 == 1)
    try:
        is_even(100_001)
    except RecursionError:
        pass
    else:
        raise AssertionError("no RecursionError")
    assert is_even(299) is False
    assert is_even.cache_info().currsize <= 16
    assert is_odd.cache_info().currsize <= 16


def test_two_cached_functions_that_call_each_other_to_the_recursion_limit_stay_right():
    run_function(mutual_recursion)


@pytest.mark.parametrize("method", ["__call__", "cache_contains", "cache_invalidate", "cache_put", "cache_refresh"])
@pytest.mark.parametrize("hook", ["hash", "eq"])
def test_errors_of_hash_and_eq_leave_unchanged_and_change_nothing(hook, method):
    from tamis import lru_cache

    class Key:
        error: Exception | None = None

        def __hash__(self):
            if hook == "hash" and Key.error:
                raise Key.error
            return 1

        def __eq__(self, other):
            if hook == "eq" and Key.error:
                raise Key.error
            return self is other

    cached = lru_cache(maxsize=4)(lambda key: "value")
    key = Key()
    cached(key)
    error = Key.error = KeyError("mine")
    args = ("put", Key()) if method == "cache_put" else (Key(),)
    with pytest.raises(KeyError) as caught:
        getattr(cached, method)(*args)
    Key.error = None
    assert caught.value is error
    assert cached.cache_info() == (0, 1, 4, 1)
    assert cached(key) == "value"
    assert cached.cache_info().hits == 1
