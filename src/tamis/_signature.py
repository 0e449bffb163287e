"""What `ignore` means for one function."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        # Annotations may name what is not there yet.
        from annotationlib import Format

        return inspect.signature(function, annotation_format=Format.FORWARDREF)
    return inspect.signature(function)


def without_first(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a function without its first parameter, the instance."""
    signature = _signature(function)
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def ignored(
    function: Callable[..., Any], names: tuple[str, ...]
) -> tuple[tuple[int, ...], int, frozenset[str], frozenset[str] | None]:
    """Tell which arguments of a call are left out of its key.

    Returns the places of positional arguments in rising order, the place from which all are left out (-1 for none), the
    names of keyword arguments, and, if the parameter that collects keywords is ignored, the names that it does not
    collect.

    Raises ValueError if the function has no such parameter, or no signature to look it up in.
    """
    try:
        parameters = _signature(function).parameters
    except (ValueError, TypeError) as error:
        raise ValueError(f"ignore needs a function whose parameters can be looked up: {error}") from None
    places: list[int] = []
    rest, keywords, known = -1, set(), None
    for name in names:
        parameter = parameters.get(name)
        if parameter is None:
            raise ValueError(f"ignore names {name!r}, which is no parameter: it takes names among {list(parameters)}")
        if parameter.kind is parameter.VAR_POSITIONAL:
            rest = list(parameters).index(name)
        elif parameter.kind is parameter.VAR_KEYWORD:
            by_name = (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
            known = frozenset(other.name for other in parameters.values() if other.kind in by_name)
        else:
            if parameter.kind is not parameter.KEYWORD_ONLY:
                places.append(list(parameters).index(name))
            if parameter.kind is not parameter.POSITIONAL_ONLY:
                keywords.add(name)
    return tuple(sorted(places)), rest, frozenset(keywords), known
