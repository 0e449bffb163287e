"""The bytes of arguments of other than built-in types, in the keys of shared caches.

They are pickle's, but the same in every process: items of sets are in the order of their bytes, not of their hashes,
and what is defined in the program's main module has one name there and in the processes that multiprocessing spawns.
Nothing ever loads them.
"""

from __future__ import annotations

import io
import pickle
import sys
from types import FunctionType

from tamis import _core

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROTOCOL = 5
# The opcodes EMPTY_SET and FROZENSET. Where they stand for something else, pickling once more gives the same bytes.
_OF_SETS = b"\x8f", b"\x91"
_MAIN = "__main__", "__mp_main__"
_SET_REDUCE = set.__reduce__, frozenset.__reduce__
# A set within sets is pickled once for each path to it. After so many items of inner sets, they
# are pickled in the order of their hashes.
_MOST_ITEMS = 10_000


# Modules of classes whose instances hold neither sets nor anything of the main module.
_PLAIN = {"datetime", "decimal", "fractions", "ipaddress", "pathlib", "uuid", "zoneinfo"}


class _TooMany(Exception):
    pass


def dumps(value: Any) -> bytes:
    """Return bytes that are the same in every process."""
    if type(value).__module__ in _PLAIN:
        return pickle.dumps(value, PROTOCOL)
    try:
        content = _dump(_Pickler, value, None)
        if not any(opcode in content for opcode in _OF_SETS):
            return content
        return _dump(_SetPickler, value, None)
    except (_TooMany, RecursionError):
        return pickle.dumps(value, PROTOCOL)


def main_global(name: str) -> None:
    """Stand for a class or a function of the main module."""


def set_of(kind: type, items: list[bytes], state: Any) -> None:
    """Stand for an instance of a subclass of a set."""


class _Sets:
    """The sets that are being pickled, from the outermost on, and how many items may still be."""

    def __init__(self) -> None:
        self.within: list[int] = []
        self.left = _MOST_ITEMS

    def items(self, value: Any) -> list[bytes] | int:
        """Return the bytes of a set's items, sorted; for one that is being pickled, its place among these."""
        if id(value) in self.within:
            return self.within.index(id(value))
        if self.within:
            self.left -= len(value)
        if self.left < 0:
            raise _TooMany
        self.within.append(id(value))
        items = sorted(_dump(_SetPickler, item, self) for item in value)
        self.within.pop()
        return items


def _dump(kind: type[_Pickler], value: Any, sets: _Sets | None) -> bytes:
    file = io.BytesIO()
    pickler = kind(file, PROTOCOL)
    pickler.sets = sets
    pickler.dump(value)
    return file.getvalue()


class _Pickler(pickle.Pickler):
    sets: _Sets | None

    # Asked about all objects but those of built-in types. Some stubs of pickle have it as no method.
    def reducer_override(self, obj: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        kind = type(obj)
        if issubclass(kind, set | frozenset):
            if kind.__reduce_ex__ is object.__reduce_ex__ and kind.__reduce__ in _SET_REDUCE:
                _, _, state = obj.__reduce_ex__(PROTOCOL)
                return set_of, (kind, self.items(obj), state)
        elif (kind is FunctionType or issubclass(kind, type)) and obj.__module__ in _MAIN:
            found: Any = sys.modules.get(obj.__module__)
            for part in obj.__qualname__.split("."):
                found = getattr(found, part, None)
            if found is obj:
                return main_global, (obj.__qualname__,)
        return NotImplemented

    def items(self, value: Any) -> list[bytes] | int:
        if self.sets is None:
            self.sets = _Sets()
        return self.sets.items(value)


class _SetPickler(_Pickler):
    # Asked about all objects.
    def persistent_id(self, obj: Any) -> Any:
        if type(obj) is set or type(obj) is frozenset:
            plain = _core._canonical(obj)
            return type(obj).__name__, self.items(obj) if plain is None else plain
        return None
