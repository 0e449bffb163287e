"""Messages of cached_method for what it can't decorate, and for instances that can't have a cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from tamis._core import class_method


def inside(function: Any) -> tuple[type, Callable[..., Any], bool] | None:
    """Return how a class or static method is made: its type, the function in it, and whether that gets no instance."""
    if isinstance(function, staticmethod):
        return type(function), function.__func__, True
    if isinstance(function, classmethod):
        kind = class_method if type(function) is classmethod else type(function)
        return kind, function.__func__, False
    return None


def refuse(instance: object) -> NoReturn:
    """Raise TypeError for an instance that can't be weakly referenced. Says what its class can do."""
    kind = type(instance)
    raise TypeError(
        f"cached_method needs instances that can be weakly referenced, not {kind.__qualname__!r}: {_advice(kind)}"
    ) from None


def _advice(kind: type) -> str:
    if kind.__module__ == "builtins":
        return "is there a @staticmethod above it? Then put @cached_method above @staticmethod"
    # An object of varying size has no place for its weak references.
    fixed = next((base for base in (int, tuple, bytes) if issubclass(kind, base)), None)
    if fixed is not None:
        return (
            f"no instance of a subclass of {fixed.__name__} ever can; put @lru_cache or @cache on the method, which "
            "keep results under the instance itself"
        )
    if hasattr(kind, "__dataclass_fields__"):
        import sys

        if sys.version_info >= (3, 11):
            return "make it a @dataclass(slots=True, weakref_slot=True)"
        return "give it a base class with __slots__ = ('__weakref__',), or leave slots=True out"
    if hasattr(kind, "__attrs_attrs__"):
        return "pass weakref_slot=True to attrs"
    if hasattr(kind, "__struct_config__"):
        return "pass weakref=True to msgspec"
    if kind.__flags__ & _IS_PYTHON_CLASS:
        return "give it a __weakref__ slot: __slots__ = (..., '__weakref__')"
    return "derive a class from it, whose instances can"


_IS_PYTHON_CLASS = 1 << 9  # Py_TPFLAGS_HEAPTYPE


def refuse_descriptor(message: str, function: object) -> None:
    """Raise TypeError for what is no function but holds one, and say what to do. Return if there is nothing to say."""
    import functools

    below: list[tuple[type, str]] = [
        (property, "put it below @property"),
        (classmethod, "put it below @classmethod"),
        (functools.singledispatchmethod, "put it below @singledispatchmethod"),
        (functools.partialmethod, "put it on the function that is given to partialmethod"),
        (functools.cached_property, "that keeps its value already, so leave one of the two out"),
    ]
    for kind, advice in below:
        if isinstance(function, kind):
            raise TypeError(f"{message}: {advice}")
