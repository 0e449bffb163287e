"""What adds an object to the walk, by its type."""

from __future__ import annotations

from tamis._identity import callables, classes, functions, objects, values

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from tamis._identity.walk import Handler

_HANDLERS = {**values.HANDLERS, **objects.HANDLERS, **functions.HANDLERS, **callables.HANDLERS}
# For types that are not in that table. The first that fits counts; any object fits the last.
_FAMILIES = [*objects.SPECIAL, *callables.FAMILIES, *classes.FAMILIES, *objects.ANY]


def handler_for(kind: type) -> Handler:
    """Return what adds the instances of a type."""
    handler = _HANDLERS.get(kind)
    if handler is None:
        handler = next(handler for fits, handler in _FAMILIES if fits(kind))
    return handler
