"""Instructions as bytes that say what they do, wherever in the code they stand."""

from __future__ import annotations

import dis
from bisect import bisect_left
from types import CodeType

from tamis._identity.digests import constant, text

JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)
_CONSTANTS = frozenset(dis.hasconst)
_UNKNOWN = getattr(dis, "UNKNOWN", dis)
_OF_CLASSES = "__firstlineno__", "__static_attributes__"
IGNORED = "NOP", "CACHE", "EXTENDED_ARG", "RESUME"


def part(code: CodeType, instruction: dis.Instruction, at: int, offsets: list[int]) -> bytes | CodeType:
    """Return the bytes of an instruction; code that it loads as it is."""
    value = instruction.argval
    if type(value) is CodeType:
        return value
    if instruction.opcode in JUMPS:
        # How many instructions further: offsets depend on how many constants and names the module has.
        argument = b"%d" % (bisect_left(offsets, value) - at)
    elif instruction.opcode in _CONSTANTS:
        # dis does not know the names of keyword arguments on 3.11.
        argument = constant(code.co_consts[instruction.arg or 0] if value is _UNKNOWN else value)
    elif isinstance(value, str):
        argument = text(value)
    else:
        argument = repr(instruction.arg).encode()
    return text(instruction.opname) + b" " + argument


def parts_of_class(code: CodeType) -> list[bytes | CodeType]:
    """Return what a class body does, without its first line, and with its attributes' names in order.

    CPython 3.13 has these in the order of a set, which differs with the hash seed.
    """
    counted = [each for each in dis.get_instructions(code) if each.opname not in IGNORED]
    offsets = [each.offset for each in counted]
    parts: list[bytes | CodeType] = []
    for at, (instruction, following) in enumerate(zip(counted, [*counted[1:], counted[-1]], strict=True)):
        if following.opname == "STORE_NAME" and following.argval in _OF_CLASSES:
            value = instruction.argval
            parts.append(constant(tuple(sorted(value)) if isinstance(value, tuple) else None))
        else:
            parts.append(part(code, instruction, at, offsets))
    return parts
