"""Code and constants as digests: the same in every process, and another one wherever something else may come of them.

Unlike ``==`` and ``hash``, a digest tells 1 from True and 1.0, 0.0 from -0.0, and one NaN from another; unlike
``pickle`` and ``marshal``, it knows neither the order of a set, which differs with the hash seed, nor which strings are
one object.
"""

from __future__ import annotations

from contextlib import suppress
from types import CodeType, FunctionType

from tamis import _core

try:
    # What hashlib has under this name; it imports OpenSSL for the others.
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Class bodies say where they begin, since 3.13.
_LINE = "__firstlineno__"


class Nameless(Exception):
    """Something has nothing that is the same in every process."""


def text(value: str) -> bytes:
    """Return the bytes of a string, lone surrogates included."""
    return value.encode("utf-8", "surrogatepass")


def framed(*parts: bytes) -> bytes:
    """Put each part behind its length, so that no two lists of parts look alike."""
    return b"".join(b"%d:%b" % (len(part), part) for part in (b"%d" % len(parts), *parts))


def digest(*parts: bytes) -> bytes:
    """Return 16 bytes for these parts."""
    found: bytes = digester(framed(*parts)).digest()
    return found


def digester(content: bytes = b"") -> Any:
    """Return what makes a digest of 16 bytes."""
    return blake2b(content, digest_size=16)


def constant(value: Any) -> bytes:
    """Return what tells a constant of code from all others."""
    if type(value) is CodeType:
        return b"code" + code_digest(value)
    plain = _core._canonical(value)
    if plain is not None:
        return b"plain" + plain
    if value is Ellipsis:
        return b"ellipsis"
    if type(value) is tuple:
        return b"tuple" + framed(*map(constant, value))
    if type(value) is frozenset:
        return b"set" + framed(*sorted(map(constant, value)))
    if type(value) is slice:
        return b"slice" + framed(*map(constant, (value.start, value.stop, value.step)))
    raise Nameless


def code_digest(code: CodeType) -> bytes:
    """Return a digest of all that decides what code does, without lines, columns and the file's name."""
    numbers = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
    names = code.co_name, *code.co_names, "", *code.co_varnames, "", *code.co_freevars, "", *code.co_cellvars
    if _LINE in code.co_names:
        from tamis._statements import class_parts

        instructions = class_parts(code)
    else:
        instructions = [code.co_code, *map(constant, code.co_consts)]
    return digest(
        framed(*instructions),
        getattr(code, "co_exceptiontable", b""),
        framed(*(b"%d" % number for number in numbers)),
        framed(*map(text, names)),
    )


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
