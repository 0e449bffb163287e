"""Threads that tests and their children start, and wait for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

SECONDS = 60.0

T = TypeVar("T")


def take_turns_often() -> None:
    """Let threads take turns as often as CPython can where they share the GIL."""
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        sys.setswitchinterval(1e-6)


def in_threads(count: int, work: Callable[[int], T]) -> list[T]:
    """Run ``work(number)`` in so many threads at once and return the results by number. Raises what a thread raised."""
    results: dict[int, T] = {}
    errors: list[BaseException] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait(SECONDS)
        try:
            results[number] = work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]
    return [results[number] for number in range(count)]
