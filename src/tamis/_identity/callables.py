"""The identity of callables that are made of functions, and of those of C."""

from __future__ import annotations

import functools
from functools import partial, partialmethod
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)

from tamis import _core
from tamis._identity.digests import Nameless
from tamis._identity.functions import add_attributes
from tamis._identity.modules import found_under, plain_name, version_of

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tamis._identity.walk import Families, Handler, Handlers, Walk

_CACHES = (
    *(_core.lru_cache_wrapper, _core.async_lru_cache_wrapper),
    *(_core.cached_method_wrapper, _core.async_cached_method_wrapper),
)


def _partial(walk: Walk, value: partial[Any]) -> None:
    if walk.number(value):
        return
    walk.put("partial")
    walk.step("is of", type(value))
    walk.step("calls", value.func)
    walk.items("has the argument", value.args)
    _keywords(walk, value.keywords)
    add_attributes(walk, vars(value))


def _partial_method(walk: Walk, value: partialmethod[Any]) -> None:
    walk.put("partialmethod")
    walk.step("calls", value.func)
    walk.items("has the argument", value.args)
    _keywords(walk, value.keywords)


def _keywords(walk: Walk, keywords: Mapping[str, Any]) -> None:
    walk.put("keywords", *keywords)
    for name, value in list(keywords.items()):
        walk.step(f"has the argument {name!r}", value)


def _method(walk: Walk, method: MethodType) -> None:
    walk.put("method")
    walk.step("calls", method.__func__)
    walk.step("is bound to", method.__self__)


def _held(kind: str, *names: str) -> Handler:
    """Return what adds objects that are made of others, by the attributes that hold those."""

    def handler(walk: Walk, value: Any) -> None:
        if walk.number(value):
            return
        walk.put(kind)
        for name in names:
            walk.step(f"has as its {name}", getattr(value, name, None))

    return handler


def _builtin(walk: Walk, function: Any) -> None:
    """A function of C: of a module, or bound to an object."""
    owner = function.__self__
    if owner is None or type(owner) is ModuleType:
        module = function.__module__ or getattr(owner, "__name__", "")
        walk.put("builtin", str(module), function.__qualname__, version_of(str(module)))
    elif found_under(function.__module__, function.__qualname__) is function:
        walk.put("builtin", function.__module__, function.__qualname__, version_of(function.__module__))
    else:
        walk.put("bound", function.__name__)
        walk.step("is bound to", owner)


def _descriptor(walk: Walk, descriptor: Any) -> None:
    walk.put("descriptor", descriptor.__name__)
    walk.step("is of", descriptor.__objclass__)


def _compiled(walk: Walk, function: Any) -> None:
    """A function that Cython compiled: it can be told by its name, unless it was made by another one."""
    name = function.__qualname__
    if "<" in name:
        raise Nameless
    walk.put("compiled", plain_name(function.__module__), name, version_of(function.__module__))


def _cache(walk: Walk, value: Any) -> None:
    """A cache of functools or of tamis: what it returns depends on which calls are the same for it."""
    if walk.number(value):
        return
    walk.put("cache", type(value).__name__)
    parameters = value.cache_parameters()
    for name in ("typed", "key", "ignore"):
        if name in parameters:
            walk.put(name)
            walk.step(f"has the option {name}", parameters[name])
    add_attributes(walk, vars(value))


def _proxy(walk: Walk, value: Any) -> None:
    """A function that wrapt has decorated."""
    if walk.number(value):
        return
    walk.put("wrapt", *(f"{each.__module__}.{each.__qualname__}" for each in type(value).__mro__))
    for name in ("_self_wrapper", "_self_enabled", "_self_instance", "__wrapped__"):
        walk.put(name)
        walk.step(f"has the attribute {name!r}", getattr(value, name, None))


_DESCRIPTORS = (
    *(MethodDescriptorType, WrapperDescriptorType, ClassMethodDescriptorType),
    *(GetSetDescriptorType, MemberDescriptorType),
)
HANDLERS: Handlers = {
    MethodType: _method,
    BuiltinFunctionType: _builtin,
    **dict.fromkeys(_DESCRIPTORS, _descriptor),
    MethodWrapperType: _held("method wrapper", "__name__", "__self__"),
    staticmethod: _held("staticmethod", "__func__"),
    classmethod: _held("classmethod", "__func__"),
    property: _held("property", "fget", "fset", "fdel"),
    functools.cached_property: _held("cached property", "func"),
    functools.singledispatchmethod: _held("singledispatchmethod", "func", "dispatcher"),
    partialmethod: _partial_method,
}
FAMILIES: Families = [
    (lambda kind: issubclass(kind, partial), _partial),
    (lambda kind: issubclass(kind, _CACHES), _cache),
    (lambda kind: kind.__module__ == "functools" and kind.__name__ == "_lru_cache_wrapper", _cache),
    (lambda kind: kind.__name__ == "cython_function_or_method", _compiled),
    (lambda kind: any(each.__name__ == "_FunctionWrapperBase" for each in kind.__mro__), _proxy),
]
