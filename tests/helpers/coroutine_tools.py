"""Ways to run coroutines."""

from __future__ import annotations

import asyncio


def run(coroutine):
    return asyncio.run(coroutine, debug=True)


def by_hand(coroutine):
    """Run a coroutine that never waits, without any loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")
