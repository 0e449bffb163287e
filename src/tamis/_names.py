"""Names of shared caches that functions were given, and which function of this process has which name.

Functions that are given one name share their entries. Where they are not the same function, each gets the other's
results. Other processes are not looked at.
"""

from __future__ import annotations

import os
import warnings
from functools import partial
from importlib.machinery import ModuleSpec
from types import CodeType, FunctionType, MethodType
from weakref import ref

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# How many layers of partial objects and decorators are looked through.
_DEPTH = 32


class _Claim:
    """What a function with a given name is, as far as that distinguishes it from others."""

    def __init__(self, function: Any) -> None:
        innermost = _innermost(function)
        module: str = getattr(innermost, "__module__", None) or "builtins"
        # In processes that multiprocessing spawns, the program's main module has another name.
        self.module = "__main__" if module == "__mp_main__" else module
        self.name: str = getattr(innermost, "__qualname__", type(innermost).__qualname__)
        self.code: CodeType | None = None
        self.execution: tuple[str, int] | None = None
        self.spec: ref[Any] | None = None
        if isinstance(innermost, FunctionType):
            self.code = innermost.__code__
            self.execution = _execution(innermost)
            spec = innermost.__globals__.get("__spec__")
            # The reference to a module's spec is one object as long as that lives, and reloading makes another spec.
            self.spec = ref(spec) if isinstance(spec, ModuleSpec) else None

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    def is_same_function(self, other: _Claim) -> bool:
        """Tell whether both are one function, or one and its successor: a module was reloaded, or a cell run again."""
        if self.code is not None and other.code is not None and _is_same_code(self.code, other.code):
            return True
        if (self.module, self.name) != (other.module, other.name):
            return False
        # Not two functions that one execution of one file has made.
        return self.execution is None or self.execution != other.execution or self.spec is not other.spec


# Those of the cached functions that live, by their addresses. No lock: each change is one step, and copying is another.
_claims: dict[int, tuple[ref[Any], tuple[str | None, str], _Claim]] = {}


def claim(cached: Any, function: Any, options: dict[str, Any]) -> None:
    """Note that a cached function has the name that it was given. Warns if another one of this process has it too."""
    name, path = options.get("name"), options.get("path")
    if name is None:
        return
    region = (None if path is None else os.path.abspath(os.fsdecode(path)), str(name))
    own, number = _Claim(function), id(cached)
    others = [other for _, other_region, other in _claims.copy().values() if other_region == region]
    _claims[number] = ref(cached, lambda _: _claims.pop(number, None)), region, own
    for other in others:
        if not own.is_same_function(other):
            warnings.warn(
                f"two functions have the name {name!r} for their shared cache, {other} and {own}: "
                "each returns what the other has stored. Give each a name of its own",
                RuntimeWarning,
                stacklevel=2,
            )
            break


def _innermost(function: Any) -> Any:
    for _ in range(_DEPTH):
        if isinstance(function, partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        elif isinstance(wrapped := getattr(function, "__wrapped__", None), FunctionType | MethodType | partial):
            function = wrapped
        else:
            break
    return function


_PARTS = (
    *("co_code", "co_names", "co_varnames", "co_freevars", "co_flags"),
    *("co_argcount", "co_posonlyargcount", "co_kwonlyargcount"),
)


def _is_same_code(one: CodeType, other: CodeType) -> bool:
    """Tell whether both do the same, wherever they are written."""
    mine, theirs = one.co_consts, other.co_consts
    same = all(getattr(one, part) == getattr(other, part) for part in _PARTS)
    return same and len(mine) == len(theirs) and all(map(_is_same_constant, mine, theirs))


def _is_same_constant(one: object, other: object) -> bool:
    if isinstance(one, CodeType) and isinstance(other, CodeType):
        return _is_same_code(one, other)
    return type(one) is type(other) and repr(one) == repr(other)


def _execution(function: FunctionType) -> tuple[str, int] | None:
    """Identify the execution of a file that has made a function. None if there is no file, or not one for all lines."""
    file = function.__code__.co_filename
    # Cells of notebooks have names that are no files, or files of the notebook's own making.
    if file.startswith("<") or "ipykernel" in file:
        return None
    # A script that is run again has other globals. These live as long as the function does.
    return file, id(function.__globals__)
