"""A module's code, taken apart into its statements.

The code of a module runs from top to bottom, and the stack is empty between two statements. So a statement ends where
the stack is empty and no jump leads across; a compound statement is one, with all that is in it. Where the code of
a new version of Python is not understood, several statements are taken for one: then more is compared than has to be.
"""

from __future__ import annotations

import dis
from itertools import pairwise
from types import CodeType

from tamis._identity.code import codes_in, names_in, whole
from tamis._identity.digests import digest
from tamis._identity.instructions import IGNORED, JUMPS, part

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_BY_NAME = frozenset(dis.hasname)
_RETURNS = "RETURN_VALUE", "RETURN_CONST"
_LEAVING = (*_RETURNS, "JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_ABSOLUTE", "RAISE_VARARGS", "RERAISE")
_STORES = "STORE_NAME", "STORE_GLOBAL", "DELETE_NAME", "DELETE_GLOBAL"
_LOADS = "LOAD_NAME", "LOAD_GLOBAL"
_ATTRIBUTES = "LOAD_ATTR", "LOAD_METHOD"
_LITERALS = "LOAD_CONST", "LOAD_SMALL_INT", "LOAD_COMMON_CONSTANT"
_CHANGES = "STORE_SUBSCR", "DELETE_SUBSCR", "STORE_ATTR", "DELETE_ATTR"
# Methods of containers that return None, whatever is in there.
_ADDING = "add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "update"
# Code of more bytes than this is one statement: a generated table.
_LONGEST = 1 << 18
_IMPORT_NAME = dis.opmap["IMPORT_NAME"]
_STORE_GLOBAL = dis.opmap["STORE_GLOBAL"]


class Import:
    """An import statement: how many dots, the module, the names that it takes out of it, and those used of it."""

    def __init__(self, level: int, module: str, names: tuple[str, ...] | None) -> None:
        self.level = level
        self.module = module
        self.names = names
        self.used: set[str] = set()


class Statement:
    """A statement of a module: what it binds and may change, and what it reads."""

    def __init__(self, code: CodeType, instructions: list[dis.Instruction]) -> None:
        # How many constants and names the module has shows in none of the others.
        instructions = [each for each in instructions if each.opname not in IGNORED]
        stored = [str(each.argval) for each in instructions if each.opname in _STORES]
        self.stores = set(stored)
        # Each time that a name is bound, and those where it is to a constant.
        self.bindings = stored
        self.literals = [
            str(b.argval) for a, b in pairwise(instructions) if a.opname in _LITERALS and b.opname == "STORE_NAME"
        ]
        self.codes = [each.argval for each in instructions if type(each.argval) is CodeType]
        self.names = {str(each.argval) for each in instructions if each.opcode in _BY_NAME}
        self.is_of_main = "__name__" in self.names and any(each.argval == "__main__" for each in instructions)
        self.touches = self._touches(instructions)
        for each in self.codes:
            self.names |= names_in(each)
        self.imports = list(_imports(instructions))
        offsets = [each.offset for each in instructions]
        self._parts = [part(code, each, at, offsets) for at, each in enumerate(instructions)]
        self._digest: bytes | None = None

    def _touches(self, instructions: list[dis.Instruction]) -> set[str]:
        """Return the names of objects that the statement may change: `table[key] = …`, `function.register(…)`."""
        if self.is_of_main:
            # What a script does with its functions.
            return set()
        loaded = {str(each.argval) for each in instructions if each.opname in _LOADS}
        if any(each.opname in _CHANGES for each in instructions):
            return loaded
        return {str(a.argval) for a, b in pairwise(instructions) if a.opname in _LOADS and b.opname in _ATTRIBUTES}

    def digest(self) -> bytes:
        """Return a digest of what it does, wherever in the module it stands."""
        if self._digest is None:
            self._digest = digest(*map(whole, self._parts))
        return self._digest


def statements_of(code: CodeType) -> list[Statement]:
    """Return the statements of a module's code, in their order."""
    instructions = list(dis.get_instructions(code))
    if len(code.co_code) > _LONGEST:
        return [Statement(code, instructions)]
    return [Statement(code, each) for each in _split(instructions)]


def _split(instructions: list[dis.Instruction]) -> Iterator[list[dis.Instruction]]:
    # How many values are on the stack; not known behind what never goes on.
    depth: int | None = 0
    depths: dict[int, int] = {}
    end = 0
    statement: list[dis.Instruction] = []
    for instruction in instructions:
        offset = instruction.offset
        is_handler = depth is None and instruction.opname == "PUSH_EXC_INFO"
        depth = depths.get(offset, depth)
        # A branch of the last statement returns: what follows is its other branch.
        is_branch = offset in depths and statement and statement[-1].opname in _RETURNS
        is_begun = statement and statement[-1].opname != "EXTENDED_ARG"
        if is_begun and not depth and offset >= end and not is_branch:
            yield statement
            statement = []
        statement.append(instruction)
        depth = depth or int(is_handler)
        if instruction.opcode in JUMPS and instruction.argval > offset:
            effect = dis.stack_effect(instruction.opcode, instruction.arg, jump=True)
            depths.setdefault(instruction.argval, max(depth + effect, 0))
            end = max(end, instruction.argval)
        depth = max(depth + dis.stack_effect(instruction.opcode, instruction.arg, jump=False), 0)
        if instruction.opname in _LEAVING:
            depth = None
    if statement:
        yield statement


def _imports(instructions: list[dis.Instruction]) -> Iterator[Import]:
    values: list[object] = []
    for instruction in instructions:
        if instruction.opcode == _IMPORT_NAME:
            level, names = values[-2:] if len(values) > 1 else (0, None)
            yield Import(
                level if isinstance(level, int) else 0,
                str(instruction.argval),
                names if isinstance(names, tuple) else None,
            )
        if instruction.opname not in IGNORED:
            # 3.14 has an instruction of its own for small numbers, and 3.15 one for None.
            values.append(instruction.argval)


def imports_of(code: CodeType) -> list[Import]:
    """Return the imports that a function does when it runs, without those of functions in it."""
    return list(_imports(list(dis.get_instructions(code)))) if _IMPORT_NAME in code.co_code[::2] else []


def stored_in(code: CodeType) -> set[str]:
    """Return the globals that a function binds when it runs."""
    if _STORE_GLOBAL not in code.co_code[::2]:
        return set()
    return {str(each.argval) for each in dis.get_instructions(code) if each.opname == "STORE_GLOBAL"}


def only_adds_to(code: CodeType, name: str) -> bool:
    """Tell whether a function does no more with a container that it closes over than put things in."""
    for each in codes_in(code):
        for instruction, following in pairwise(dis.get_instructions(each)):
            if "DEREF" in instruction.opname and instruction.argval == name:
                is_added_to = following.opname in _ATTRIBUTES and following.argval in _ADDING
                if instruction.opname != "LOAD_DEREF" or not is_added_to:
                    return False
    return True


def loaded_by(code: CodeType) -> set[str]:
    """Return the globals that a function reads, without those of functions in it."""
    return {
        str(each.argval) for each in dis.get_instructions(code) if each.opname in _LOADS or "OR_GLOBALS" in each.opname
    }
