"""Code as digests: the same in every process, and another one wherever it does something else."""

from __future__ import annotations

from contextlib import suppress
from types import CodeType, FunctionType

from tamis._identity.digests import constant, digest, framed, text

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Class bodies say where they begin, since 3.13.
_LINE = "__firstlineno__"


def code_digest(code: CodeType) -> bytes:
    """Return a digest of all that decides what code does, without lines, columns and the file's name."""
    numbers = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
    parts: list[bytes | CodeType]
    names = code.co_name, *code.co_names, "", *code.co_varnames, "", *code.co_freevars, "", *code.co_cellvars
    if _LINE in code.co_names:
        # It imports dis.
        from tamis._identity.instructions import parts_of_class

        parts = parts_of_class(code)
    else:
        parts = [code.co_code, *(each if type(each) is CodeType else constant(each) for each in code.co_consts)]
    return digest(
        framed(*map(whole, parts)),
        getattr(code, "co_exceptiontable", b""),
        framed(*(b"%d" % number for number in numbers)),
        framed(*map(text, names)),
    )


def whole(part: bytes | CodeType) -> bytes:
    """Return a part of code as bytes: code inside of code by its digest."""
    return part if isinstance(part, bytes) else b"code" + code_digest(part)


def codes_in(code: CodeType) -> list[CodeType]:
    """Return the code and all code inside of it, the outer one first."""
    found = [code]
    for each in found:
        found.extend(inner for inner in each.co_consts if type(inner) is CodeType)
    return found


def names_in(code: CodeType) -> set[str]:
    """Return the names of globals and attributes that the code uses."""
    return {name for each in codes_in(code) for name in each.co_names}


def words_in(code: CodeType) -> set[str]:
    """Return the names that the code uses, and its strings, which may be names for ``getattr``."""
    strings = {value for each in codes_in(code) for value in each.co_consts if type(value) is str}
    return names_in(code) | strings


def functions_in(function: Any) -> list[FunctionType]:
    """Return a function and those that it wraps, the outermost first; none where it is something else."""
    found = [function] if type(function) is FunctionType else []
    for each in found:
        held = [vars(each).get("__wrapped__")]
        for cell in each.__closure__ or ():
            # An empty cell has no contents.
            with suppress(ValueError):
                held.append(cell.cell_contents)
        found.extend(one for one in held if type(one) is FunctionType and not any(one is other for other in found))
    return found


def codes_of(function: Any) -> list[bytes]:
    """Return digests of the code of a function and of those that it wraps."""
    return [code_digest(each.__code__) for each in functions_in(function)]
