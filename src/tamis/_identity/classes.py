"""The identity of classes."""

from __future__ import annotations

import sys

from tamis._identity.digests import Nameless
from tamis._identity.functions import NO_PLACE, is_session
from tamis._identity.modules import contents, found_under, plain_name, version_of

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tamis._identity.walk import Families, Walk

_HEAP_TYPE = 1 << 9
# What does not decide what a class does, or is added in another way.
_LEFT_OUT = {
    *("__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__annotations__", "__annotate__"),
    *("__annotate_func__", "__annotations_cache__", "__firstlineno__", "__static_attributes__", "_abc_impl"),
}


def _class(walk: Walk, kind: type) -> None:
    if walk.number(kind):
        return
    module = kind.__module__ if isinstance(kind.__module__, str) else ""
    walk.put("class", plain_name(module), kind.__qualname__)
    if not kind.__flags__ & _HEAP_TYPE:
        walk.put(version_of(module))
        return
    namespace = contents(sys.modules.get(module))
    if is_session(namespace):
        raise Nameless(NO_PLACE)
    if found_under(module, kind.__qualname__) is kind and _by_reference(walk, kind, namespace):
        return
    _as_it_is(walk, kind)


def _by_reference(walk: Walk, kind: type, namespace: dict[str, Any]) -> bool:
    """Add a class that can be imported by its name: what its source says of it, or the version of its package."""
    if not walk.program.is_near_module(namespace):
        walk.put(version_of(kind.__module__))
        return True
    source = walk.program.source_of(namespace)
    root = kind.__qualname__.partition(".")[0]
    if source is None or root not in source.bound:
        return False
    walk.program.need(source, {root})
    return True


def _as_it_is(walk: Walk, kind: type) -> None:
    """Add a class that was made at run time: its bases, and all that is in it."""
    if type(kind) is not type:
        walk.step("is of", type(kind))
    walk.items("has base", kind.__bases__)
    for name, value in sorted(vars(kind).items()):
        if name not in _LEFT_OUT:
            walk.put(name)
            walk.step(f"has the attribute {name!r}", value)
    walk.put("class ends")


FAMILIES: Families = [(lambda kind: issubclass(kind, type), _class)]
