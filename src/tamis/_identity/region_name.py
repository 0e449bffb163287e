"""The name of the region that a cached function has where it is given none.

Two functions share a region only if they come from one place and would do the same: module, qualified name, source
file, and all that the walk reaches. So two programs' ``__main__.f`` never meet, and neither do two releases.
"""

from __future__ import annotations

import sys
from functools import partial
from types import FunctionType, MethodType

from tamis._identity.digests import Nameless
from tamis._identity.handlers import handler_for
from tamis._identity.messages import explained
from tamis._identity.modules import plain_name
from tamis._identity.walk import Walk

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

# The layout of what is digested.
_VERSION = "2"
# Options that decide which calls are the same, or what comes back from the bytes.
_OPTIONS = "key", "ignore", "serializer"
_DEPTH = 100


def region_name(function: Any, options: Mapping[str, Any] | None = None) -> str:
    """Return the function's name, readable, with a digest of all that makes it this function."""
    *_, innermost = _chain(function)
    mentioned: frozenset[str] = frozenset()
    while True:
        walk = Walk(innermost, mentioned, handler_for)
        digest = _digest(walk, function, options or {})
        if not walk.unmentioned & walk.words:
            break
        # Code that asks for an attribute may be found behind the function that has it.
        mentioned = frozenset(walk.words)
    name = getattr(innermost, "__qualname__", type(innermost).__qualname__)
    module = getattr(innermost, "__module__", None) or type(innermost).__module__
    return f"{plain_name(module)}.{name}-{digest.hex()}"


def _digest(walk: Walk, function: Any, options: Mapping[str, Any]) -> bytes:
    if type(walk.innermost) is FunctionType:
        namespace = walk.innermost.__globals__
        for name in (namespace.get("__name__"), namespace.get("__package__")):
            if isinstance(name, str) and name:
                walk.program.own.add(name.partition(".")[0])
    try:
        walk.put(_VERSION, str(sys.implementation.cache_tag))
        walk.item(function)
        for name in _OPTIONS:
            if options.get(name) is not None:
                walk.put(name)
                walk.step(f"has the option {name}", options[name])
        return walk.digest()
    except Nameless as error:
        why = str(error) or "has nothing that is the same in every process"
        raise TypeError(explained(function, walk.path, why)) from error.__cause__
    except RecursionError:
        raise TypeError(explained(function, [], "depends on what is nested too deep to be looked through")) from None


def _chain(function: Any) -> Iterator[Any]:
    """A callable, and what it wraps, to the innermost."""
    for _ in range(_DEPTH):
        yield function
        if isinstance(function, partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        else:
            wrapped = getattr(function, "__wrapped__", None)
            if wrapped is None:
                return
            function = wrapped
