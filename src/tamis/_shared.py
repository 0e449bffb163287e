"""The name of the region that a cached function has where it is given none.

Two functions share a region only if they come from one place and would do the same: module, qualified name, source
file, code, defaults, and what they close over. So two programs' ``__main__.f`` never meet, and neither do two releases.
"""

from __future__ import annotations

import hashlib
import os
import sys
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

from tamis import _core

# The layout of what is digested.
_VERSION = "1"


def region_name(function: Any) -> str:
    """Return the function's name, readable, with a digest of all that makes it this function."""
    digest = hashlib.blake2b(digest_size=16)
    _add(digest, _VERSION, sys.implementation.cache_tag)
    innermost = _add_function(digest, function)
    name = getattr(innermost, "__qualname__", type(innermost).__qualname__)
    module = _module_of(innermost) or type(innermost).__module__
    return f"{module}.{name}-{digest.hexdigest()}"


def _module_of(function: Any) -> str | None:
    # In processes that multiprocessing spawns, the program's main module has another name.
    module: str | None = getattr(function, "__module__", None)
    return "__main__" if module == "__mp_main__" else module


def _add(digest: Any, *parts: object) -> None:
    """Add each part behind its length, so that no two lists of parts look alike."""
    for part in parts:
        content = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(content))
        digest.update(content)


def _add_function(digest: Any, function: Any) -> Any:
    while isinstance(function, partial | MethodType):
        if isinstance(function, partial):
            _add_values(digest, "partial", *function.args, *sorted(function.keywords.items()))
            function = function.func
        else:
            _add_values(digest, "method", function.__self__)
            function = function.__func__
    _add(digest, _module_of(function), getattr(function, "__qualname__", None))
    if not isinstance(function, FunctionType):
        wrapped = getattr(function, "__wrapped__", None)
        if wrapped is not None:
            return _add_function(digest, wrapped)
        # Of C, or an instance with __call__.
        _add_values(digest, "callable", type(function).__module__, type(function).__qualname__)
        call = type(function).__dict__.get("__call__")
        if isinstance(call, FunctionType):
            _add_code(digest, call.__code__)
            _add_values(digest, function)
        return function
    _add_code(digest, function.__code__, whole=True)
    _add_values(digest, "defaults", *(function.__defaults__ or ()), *sorted((function.__kwdefaults__ or {}).items()))
    for cell in function.__closure__ or ():
        try:
            _add_values(digest, "cell", cell.cell_contents)
        except ValueError:  # empty: the function's own name, or __class__
            _add(digest, "empty cell")
    return function


def _add_code(digest: Any, code: CodeType, *, whole: bool = False) -> None:
    if whole:
        file = code.co_filename
        _add(digest, file if file.startswith("<") else os.path.abspath(file))
    _add(digest, code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_flags)
    _add(
        digest,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        getattr(code, "co_exceptiontable", b""),
    )
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _add(digest, "code", constant.co_name)
            _add_code(digest, constant)
        else:
            _add_values(digest, "constant", constant)


def _add_values(digest: Any, *values: object) -> None:
    """Add values by the bytes that a key has for them, which are the same in every process, or else by their type."""
    for value in values:
        try:
            _add(digest, type(value).__qualname__, _core._key((value,), {}, True))
        except Exception:
            # No bytes: a lock, a connection, a function inside of a function.
            if isinstance(value, FunctionType):
                _add_code(digest, value.__code__)
            else:
                _add(digest, "unserializable", type(value).__module__, type(value).__qualname__)
