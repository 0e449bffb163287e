"""What cached_method does once for each instance."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any


def inside(function: Any) -> tuple[type, Callable[..., Any], bool] | None:
    """Return what a class or static method is made of: its type, the function, and whether that gets no instance."""
    for kind in (classmethod, staticmethod):
        if isinstance(function, kind):
            return type(function), function.__func__, kind is staticmethod
    return None


def bind(
    method: Any, function: Callable[..., Any], instance: object, number: int
) -> tuple[Callable[..., Any], weakref.ref[object]]:
    """Make the function of one instance, and the reference that forgets its cache with it. Neither keeps it alive.

    Raises TypeError if the instance can't be weakly referenced.
    """
    forgetful = weakref.ref(method)

    def forget(_: Any) -> None:
        method = forgetful()
        if method is not None:
            method._forget(number)

    try:
        reference = weakref.ref(instance, forget)
    except TypeError:
        raise TypeError(
            f"cached_method needs instances that can be weakly referenced, not {type(instance).__qualname__!r}: "
            "give its class a __weakref__ slot, or put @cached_method above @staticmethod"
        ) from None

    def owner() -> object:
        instance = reference()
        if instance is None:
            raise ReferenceError("the instance of this cache is gone")
        return instance

    def call_function(*args: Any, **kwargs: Any) -> Any:
        return function(owner(), *args, **kwargs)

    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        if hasattr(function, name):
            setattr(call_function, name, getattr(function, name))
    return call_function, reference
