"""Python code that the cache runs calls back into the cache, at every point and in every way."""

from __future__ import annotations

import pytest

from helpers.subprocess_tools import run_function

HOOKS = ("hash", "eq_of_stored", "eq_of_asked", "value_del", "key_del", "value_weakref", "function")
ACTIONS = ("same", "other", "clear", "invalidate", "put", "refresh", "info", "raise", "switch", "recurse")


def play(hook, action):
    """Let one hook do one thing to the cache it runs under, for all sizes of cache. Runs in a child."""
    import gc
    import sys
    import time
    import weakref

    from tamis import lru_cache

    numbers = range(6)
    sys.unraisablehook = lambda unraisable: None
    allowed = {"raise": ZeroDivisionError, "recurse": RecursionError}.get(action, ())
    deepest = 10_000 if action == "recurse" else 2
    state = {"armed": False, "depth": 0, "fired": 0}
    too_large = []
    born = []

    def act(number):
        if not state["armed"] or state["depth"] >= deepest or state["fired"] >= 3000:
            return
        state["depth"] += 1
        state["fired"] += 1
        try:
            actions[action](number)
        finally:
            state["depth"] -= 1
            note_size()

    def note_size():
        currsize = f.cache_info().currsize
        if maxsize is not None and currsize > maxsize:
            too_large.append(currsize)

    class Key:
        def __init__(self, number):
            self.number = number

        def __hash__(self):
            if hook == "hash":
                act(self.number)
            return self.number % 2

        def __eq__(self, other):
            if hook == "eq_of_stored":
                act(self.number)
            return self.number == other.number

        if hook == "key_del":

            def __del__(self):
                act(self.number)

    class Asked(Key):
        # A subclass's comes first, even where it stands on the right.
        def __eq__(self, other):
            if hook == "eq_of_asked":
                act(self.number)
            return self.number == other.number

        __hash__ = Key.__hash__

    class Value:
        def __init__(self, number):
            self.number = number
            if hook == "value_weakref":
                # The callback is called only if the weak reference outlives the value.
                born.append(weakref.ref(self, lambda gone: act(number)))
            else:
                born.append(weakref.ref(self))

        if hook == "value_del":

            def __del__(self):
                act(self.number)

    def raise_error(number):
        raise ZeroDivisionError("a hook's own error")

    actions = {
        "same": lambda number: right(f(Key(number)), number),
        "other": lambda number: right(f(Key((number + 2) % len(numbers))), (number + 2) % len(numbers)),
        "clear": lambda number: f.cache_clear(),
        "invalidate": lambda number: f.cache_invalidate(Key(number)),
        "put": lambda number: f.cache_put(Value(number), Key(number)),
        "refresh": lambda number: right(f.cache_refresh(Key(number)), number),
        "info": lambda number: (f.cache_info(), f.cache_contains(Key(number)), f.cache_parameters()),
        "raise": raise_error,
        "switch": lambda number: time.sleep(0),
        "recurse": lambda number: right(f(Asked(number)), number),
    }

    def right(value, number):
        assert value.number == number, (value.number, number)

    def attempt(operation, *args, **kwargs):
        try:
            return operation(*args, **kwargs)
        except allowed:
            return None
        finally:
            note_size()

    def attempt_call(operation, key, *args, **kwargs):
        value = attempt(operation, key, *args, **kwargs)
        if value is not None:
            right(value, key.number)

    def present():
        shapes = [((), {}), (("x",), {}), ((), {"more": 1})]
        return sum(f.cache_contains(Key(number), *args, **kwargs) for number in numbers for args, kwargs in shapes)

    for maxsize in (1, 2, 8, None):
        print(f"{hook} / {action} / maxsize {maxsize}", flush=True)
        state.update(armed=False, depth=0, fired=0)

        @lru_cache(maxsize)
        def f(key, extra=None, more=None):
            if hook == "function":
                act(key.number)
            return Value(key.number)

        for number in numbers:
            right(f(Key(number)), number)
        sys.setrecursionlimit(260)
        state["armed"] = True
        for number in numbers:
            for kind in (Key, Asked):
                attempt_call(f, kind(number))
                attempt_call(f, kind(number))
                attempt_call(f, kind(number), "x")
                attempt_call(f, kind(number), more=1)
                attempt(f.cache_contains, kind(number))
                attempt(f.cache_put, Value(number), kind(number))
                attempt_call(f.cache_refresh, kind(number))
                attempt(f.cache_invalidate, kind(number))
                attempt_call(f, kind(number))
        attempt(f.cache_clear)
        for number in numbers:
            attempt_call(f, Asked(number))
        state["armed"] = False
        sys.setrecursionlimit(1000)

        assert state["fired"] > 0, "the hook never ran"
        assert too_large == []
        assert f.cache_info().currsize == present()
        f.cache_clear()
        assert f.cache_info()[:2] == (0, 0)
        assert f.cache_info().currsize == present() == 0
        kept = f(Key(1))
        assert f(Key(1)) is kept
        assert f.cache_info()[:2] == (1, 1)
        del kept
        f.cache_clear()
        gc.collect()
        assert [value for value in born if value() is not None] == []
        born.clear()


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("hook", HOOKS)
def test_hook_may_do_anything_to_its_own_cache(hook, action):
    output = run_function(play, hook, action)
    assert output.splitlines()[-1] == f"{hook} / {action} / maxsize None"
