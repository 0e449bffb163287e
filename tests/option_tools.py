"""Callables that tests give to options."""

from __future__ import annotations

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
