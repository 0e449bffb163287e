"""What `ignore` means for one function.

Arguments are known by their places, so the places have to be those of what is called. `inspect.signature` shows another
signature where there is `__wrapped__` or `__signature__`, and a decorator may add or take away arguments.
"""

from __future__ import annotations

import functools
import gc
import inspect
import sys
from collections.abc import Callable
from types import CodeType, FunctionType, MethodType
from typing import Any, NoReturn

from tamis import _core


def needs_two(function: Callable[..., Any]) -> bool:
    """Whether a callable has to be called with two positional arguments: a key, and its value."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in by_place and one.default is one.empty for one in parameters) == 2


_Kind = inspect._ParameterKind
_BY_PLACE = (_Kind.POSITIONAL_ONLY, _Kind.POSITIONAL_OR_KEYWORD)
_BY_NAME = (_Kind.POSITIONAL_OR_KEYWORD, _Kind.KEYWORD_ONLY)
# The parameters of a callable, in order.
_Parameters = dict[str, _Kind]

_ANY: _Parameters = {"args": _Kind.VAR_POSITIONAL, "kwargs": _Kind.VAR_KEYWORD}
# Caches, which hand on all arguments as they are.
_CACHES = (
    functools._lru_cache_wrapper,
    _core.lru_cache_wrapper,
    _core.async_lru_cache_wrapper,
    _core.cached_method_wrapper,
    _core.async_cached_method_wrapper,
)


def _shown(function: Callable[..., Any], *, follow_wrapped: bool = True) -> _Parameters:
    """Return what inspect shows."""
    if sys.version_info >= (3, 14):
        # Annotations may name what is not there yet.
        from annotationlib import Format

        signature = inspect.signature(function, follow_wrapped=follow_wrapped, annotation_format=Format.FORWARDREF)
    else:
        signature = inspect.signature(function, follow_wrapped=follow_wrapped)
    return {name: parameter.kind for name, parameter in signature.parameters.items()}


def _own(function: Any) -> _Parameters:
    """Return the parameters of what is called, whatever it shows."""
    if type(function) is FunctionType:
        # beartype's wrappers hand on all arguments as they are, to the function that this default is.
        checked = (function.__kwdefaults__ or {}).get("__beartype_func")
        return _of_code(function.__code__) if checked is None else _own(checked)
    # Not isinstance, by which proxies such as wrapt's pass for what they wrap.
    kind = type(function)
    if kind is MethodType or (kind.__module__ == _core.__name__ and isinstance(function, MethodType)):
        return _without_first(_own(function.__func__))
    if issubclass(kind, functools.partial) and kind.__call__ is functools.partial.__call__:
        return _of_partial(function)
    if kind in _CACHES:
        # Others may have set the attribute anew.
        inner = getattr(function, "__wrapped__", None)
        return _own(inner) if any(held is inner for held in gc.get_referents(function)) else _ANY
    if kind is staticmethod:
        return _own(function.__func__)
    if issubclass(kind, type):
        makers = (function, kind.__call__, *(getattr(function, name) for name in ("__new__", "__init__")))
        return _ANY if any(map(_is_told, makers)) else _shown(function, follow_wrapped=False)
    call = inspect.getattr_static(kind, "__call__", None)
    if type(call) is FunctionType or type(call) in _CACHES:
        return _without_first(_own(call))
    if hasattr(function, "__wrapped__") or _is_told(function):
        return _ANY
    return _shown(function, follow_wrapped=False)


def _is_told(function: Any) -> bool:
    """Tell whether inspect believes what the callable says of its signature."""
    return getattr(function, "__signature__", None) is not None


def _of_code(code: CodeType) -> _Parameters:
    names = iter(code.co_varnames)
    parameters: _Parameters = {}
    for place in range(code.co_argcount):
        by_place_alone = place < code.co_posonlyargcount
        parameters[next(names)] = _Kind.POSITIONAL_ONLY if by_place_alone else _Kind.POSITIONAL_OR_KEYWORD
    keywords = [next(names) for _ in range(code.co_kwonlyargcount)]
    if code.co_flags & inspect.CO_VARARGS:
        parameters[next(names)] = _Kind.VAR_POSITIONAL
    parameters.update(dict.fromkeys(keywords, _Kind.KEYWORD_ONLY))
    if code.co_flags & inspect.CO_VARKEYWORDS:
        parameters[next(names)] = _Kind.VAR_KEYWORD
    return parameters


def _of_partial(function: functools.partial[Any]) -> _Parameters:
    def stand_in() -> None: ...

    # inspect knows what becomes of the parameters of such a function.
    stand_in.__dict__["__signature__"] = _as_signature(_own(function.func))
    return _shown(functools.partial(stand_in, *function.args, **function.keywords))


def _as_signature(parameters: _Parameters) -> inspect.Signature:
    return inspect.Signature([inspect.Parameter(name, kind) for name, kind in parameters.items()])


def _without_first(parameters: _Parameters) -> _Parameters:
    """Leave out the parameter that the instance goes to."""
    first = next(iter(parameters), None)
    if first is None or parameters[first] in (_Kind.KEYWORD_ONLY, _Kind.VAR_KEYWORD):
        raise ValueError("a method needs a parameter for its instance")
    if parameters[first] is _Kind.VAR_POSITIONAL:
        return parameters
    return {name: kind for name, kind in parameters.items() if name != first}


def _collected_beside(parameters: _Parameters) -> frozenset[str]:
    """Return the names of keyword arguments that `**kwargs` does not collect."""
    return frozenset(name for name, kind in parameters.items() if kind in _BY_NAME)


def _agree(name: str, own: _Parameters, shown: _Parameters) -> bool:
    """Tell whether a parameter takes the same arguments in both."""
    kind = own[name]
    if shown.get(name) is not kind:
        return False
    if kind is _Kind.VAR_KEYWORD:
        return _collected_beside(own) == _collected_beside(shown)
    return kind is _Kind.KEYWORD_ONLY or list(own).index(name) == list(shown).index(name)


def _is_keyword_alone(name: str, own: _Parameters, shown: _Parameters) -> bool:
    """Tell whether arguments for a parameter come by this name alone, in `**kwargs` of what is called."""
    if name in own or _Kind.VAR_KEYWORD not in own.values():
        return False
    if shown[name] is _Kind.KEYWORD_ONLY:
        return True
    return shown[name] is _Kind.POSITIONAL_OR_KEYWORD and _Kind.VAR_POSITIONAL not in own.values()


def _refuse(name: str, own: _Parameters, shown: _Parameters) -> NoReturn:
    raise ValueError(
        f"ignore can't tell which arguments are for {name!r}: the decorated callable shows another one's signature, "
        f"{_as_signature(shown)}, by __wrapped__ or __signature__, and takes {_as_signature(own)} itself; "
        "put the cache below that decorator, next to the function, or use key= in the place of ignore="
    )


def ignored(
    function: Callable[..., Any], names: tuple[str, ...], is_method: bool
) -> tuple[tuple[int, ...], int, frozenset[str], frozenset[str] | None]:
    """Tell which arguments of a call are left out of its key. Calls of a method come without its first argument.

    Returns the places of positional arguments in rising order, the place from which all are left out (-1 for none), the
    names of keyword arguments, and, if the parameter that collects keywords is ignored, the names that it does not
    collect.

    Raises ValueError if the function has no such parameter, if it has no signature to look it up in, or if it shows a
    signature in which that parameter is another one.
    """
    instance = None
    try:
        own, shown = _own(function), _shown(function)
        if is_method:
            instance = next(iter(own), None)
            own, shown = _without_first(own), _without_first(shown)
    except (ValueError, TypeError) as error:
        raise ValueError(f"ignore needs a function whose parameters can be looked up: {error}") from None
    places: list[int] = []
    rest, keywords, known = -1, set(), None
    for name in names:
        if name == instance and name not in own:
            raise ValueError(f"ignore names {name!r}, the instance, which is no part of the key anyway: leave it out")
        if name not in own and name not in shown:
            raise ValueError(f"ignore names {name!r}, which is no parameter: it takes names among {list(shown)}")
        if name in shown and _is_keyword_alone(name, own, shown):
            keywords.add(name)
            continue
        if name not in own or not _agree(name, own, shown):
            _refuse(name, own, shown)
        kind = own[name]
        if kind is _Kind.VAR_POSITIONAL:
            rest = list(own).index(name)
        elif kind is _Kind.VAR_KEYWORD:
            known = _collected_beside(own)
        else:
            if kind in _BY_PLACE:
                places.append(list(own).index(name))
            if kind in _BY_NAME:
                keywords.add(name)
    return tuple(sorted(places)), rest, frozenset(keywords), known
