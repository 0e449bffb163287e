"""Which callables are coroutine functions, by the rule of inspect, and what makes inspect take a cache for one.

Imported only where the compiled part can't tell by itself: a decorated `def` or `async def` never comes here.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Tell whether the function is what inspect takes for a coroutine function.

    Raises TypeError if it is an async generator function.
    """
    if inspect.isasyncgenfunction(function):
        raise TypeError("an async generator function can't be cached: its results are used up by iteration")
    if inspect.iscoroutinefunction(function):
        return True
    if sys.version_info >= (3, 12):
        return False
    # inspect has no mark of its own yet, and libraries such as asgiref set asyncio's.
    coroutines = sys.modules.get("asyncio.coroutines")
    return coroutines is not None and bool(coroutines.iscoroutinefunction(function))


async def _like(*args: Any, **kwargs: Any) -> None:
    """Show inspect a coroutine function that takes any arguments."""


if sys.version_info >= (3, 12):
    inspect.markcoroutinefunction(_like)


def attribute(function: Callable[..., Any], name: str) -> Any:
    """Return an attribute by which inspect knows the cache of this coroutine function.

    Raises AttributeError if this version's inspect has no such attribute.
    """
    if name != "__name__":
        return getattr(_like, name)
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__name__", type(function).__name__)
