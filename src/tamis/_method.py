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


class _CoroutineFunction:
    """Is called as `call`, and recognised as what `func` is.

    An async function would look for the instance no sooner than it is awaited.
    """

    def __init__(self, func: Callable[..., Any], call: Callable[..., Any]) -> None:
        self.func = func
        self.call = call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(*args, **kwargs)


def bind(
    method: Any, function: Callable[..., Any], instance: object, number: int, ignore: bool, coroutine: bool
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

    call: Callable[..., Any] = _CoroutineFunction(function, call_function) if coroutine else call_function
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        if hasattr(function, name):
            setattr(call, name, getattr(function, name))
    if ignore:
        from tamis._signature import without_first

        call.__dict__["__signature__"] = without_first(function)
    return call, reference
