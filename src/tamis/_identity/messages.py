"""Messages that say what of a function has no name that is the same in every process."""

from __future__ import annotations

from types import FunctionType, MethodType

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def described(value: Any) -> str:
    """Name a thing for an error's message."""
    kind = type(value)
    if kind in (str, bytes, int, float, bool):
        shown = repr(value)
        return shown if len(shown) < 40 else shown[:36] + " ..."
    if kind is FunctionType:
        return f"the function {value.__qualname__!r}"
    if kind is MethodType:
        return f"the method {value.__qualname__!r}"
    named = value if isinstance(value, type) else kind
    module = "" if named.__module__ == "builtins" else f"{named.__module__}."
    return f"{'the class ' if named is value else ''}{module}{named.__qualname__}"


def explained(root: Any, path: list[tuple[str, Any]], why: str) -> str:
    """Return an error's message: the path from the cached callable to what has no name, and what to do."""
    said = described(root)
    for at, (phrase, value) in enumerate(path):
        if at < 4 or at >= len(path) - 4:
            said += f"{', which' if at else ''} {phrase} ({described(value)})"
        elif at == 4:
            said += " ..."
    said += f"{', which' if path else ''} {why}"
    return f"a shared cache has to be given a name here, by name=...: {said}"
