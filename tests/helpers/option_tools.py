"""Callables that tests give to options."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Evictions(list[tuple[Any, Any, str]]):
    """What on_evict was told."""

    def __call__(self, key: Any, value: Any, cause: str) -> None:
        self.append((key, value, cause))


def fresh_list(*args: Any, **kwargs: Any) -> list[Any]:
    """A new object at each call."""
    return [args, kwargs]


@contextmanager
def reported(*errors: type[BaseException]) -> Iterator[list[Any]]:
    """Expect that just these errors are given to sys.unraisablehook, and yield what it got."""
    reports: list[Any] = []
    before, sys.unraisablehook = sys.unraisablehook, reports.append
    try:
        yield reports
    finally:
        sys.unraisablehook = before
    assert [report.exc_type for report in reports] == list(errors)
