"""Coroutine functions, and ways to run what they return."""

from __future__ import annotations

import asyncio
import inspect
import types
import warnings

import pytest

MARKS = hasattr(inspect, "markcoroutinefunction")


def run(coroutine):
    """Run it in a loop in debug mode, which warns of coroutines that were never awaited."""
    return asyncio.run(coroutine, debug=True)


def by_hand(coroutine):
    """Run a coroutine that never waits, without any loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


@types.coroutine
def pause(value):
    """Hand a value to whoever drives the coroutine, and return what comes back."""
    return (yield value)


def stop(method, *args):
    """What the coroutine returns that ends in this call."""
    with pytest.raises(StopIteration) as caught:
        method(*args)
    return caught.value.value


def asyncio_says(function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return asyncio.iscoroutinefunction(function)


async def double(x, /, y=0, *, z=0):
    """Twice."""
    return [x * 2 + y + z]


def marked(function):
    return inspect.markcoroutinefunction(function)
