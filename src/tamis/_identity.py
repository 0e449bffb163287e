"""What decides what a function returns, as far as it can be reached, as one digest that is the same in every process.

Functions are told by their code, defaults, closures and what they wrap (see ``_callables.py``); objects by their class
and by what their own ``__reduce_ex__`` says (see ``_objects.py``); the names that they read of a module by its source
(see ``_program.py``). What has nothing that is the same in every process, such as a lock or a connection, is an error.
"""

from __future__ import annotations

import sys
from types import FunctionType, MethodType

from tamis import _core
from tamis._canonical import Nameless, codes_of, digester, framed, text
from tamis._program import Program
from tamis._sources import contents

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

# So many objects are looked at before it is too much.
_MOST = 1_000_000
# So many steps deep: some 600 of Python's calls.
_DEEPEST = 150
_NOT_SMALL = 1 << 20

HANDLERS: dict[type, Callable[[Walk, Any], None]] = {}
# For types that are not in the table: what a type has to be, and what is done with its instances. The first that fits.
FAMILIES: list[tuple[Callable[[type], bool], Callable[[Walk, Any], None]]] = []


class Walk:
    """A walk over all that something depends on.

    Objects that can change are numbered in the order in which they are met: whoever comes back to one gets its number.
    Values that can't change are told anew each time: whether two of them are one object is up to caches, and no
    property of the source.
    """

    def __init__(self, innermost: Any, mentioned: frozenset[str]) -> None:
        self.program = Program()
        # What the cached callable wraps in the end, which may be itself.
        self.innermost = innermost
        # How the walk came to where it is: a phrase for each step, and what it led to.
        self.path: list[tuple[str, Any]] = []
        # Attributes of functions count if some code may ask for them. All words in the code so far, and names that were
        # none.
        self.mentioned = mentioned
        self.words: set[str] = set()
        self.unmentioned: set[str] = set()
        self._hash = digester()
        # Under the addresses of objects, which are held, so that no address comes again.
        self._numbers: dict[int, tuple[int, Any]] = {}
        self._left = _MOST

    def digest(self) -> bytes:
        """Return the digest of all that was put."""
        for module, statements, names, rebound in self.program.finish():
            self.put("module", module, *statements)
            self.words |= names
            for name, value in rebound:
                codes = codes_of(value)
                plain = _core._canonical(value) if not codes else None
                self.put("rebound", name, *codes, plain or b"")
        found: bytes = self._hash.digest()
        return found

    def put(self, *parts: str | bytes) -> None:
        """Add parts to the digest."""
        self._hash.update(framed(*(text(part) if isinstance(part, str) else part for part in parts)))

    def number(self, value: Any) -> bool:
        """Give an object its number. If it has one already, put that, and return True."""
        met = self._numbers.get(id(value))
        if met is not None:
            self.put("again", b"%d" % met[0])
            return True
        self._numbers[id(value)] = len(self._numbers), value
        return False

    def item(self, value: Any) -> None:
        """Add a value and all that it depends on."""
        self._left -= 1
        if not self._left:
            raise Nameless("is too large to be looked through")
        kind = type(value)
        handler = HANDLERS.get(kind)
        if handler is None:
            handler = next(handler for fits, handler in FAMILIES if fits(kind))
        handler(self, value)

    def step(self, phrase: str, value: Any) -> None:
        """Add a value; errors say by the phrase how one came to it."""
        self.path.append((phrase, value))
        if len(self.path) > _DEEPEST:
            raise Nameless("is nested too deep to be looked through")
        self.item(value)
        self.path.pop()

    def items(self, phrase: str, values: Iterable[Any]) -> None:
        """Add values in their order."""
        values = list(values)
        self.put("items", b"%d" % len(values))
        for at, value in enumerate(values):
            self.step(f"{phrase} {at}", value)

    def unordered(self, phrase: str, values: Iterable[Any]) -> None:
        """Add values whose order says nothing."""
        digests = []
        for value in list(values):
            outer, self._hash = self._hash, digester()
            before = len(self._numbers)
            self.step(phrase, value)
            digests.append(self._hash.digest())
            self._hash = outer
            # The next one's numbers must not depend on this one's.
            while len(self._numbers) > before:
                self._numbers.popitem()
        self.put("unordered", *sorted(digests))

    def refuse_address(self, value: int) -> None:
        """Refuse a number that is the address of an object on the way."""
        if value > _NOT_SMALL and value in self._numbers:
            raise Nameless("is an address, and another one in every process")


# ---- values of built-in types ---------------------------------------------------------------------------------------


def _plain(walk: Walk, value: Any) -> None:
    content = _core._canonical(value)
    if content is None:
        raise Nameless
    walk.put("plain", content)


def _int(walk: Walk, value: int) -> None:
    walk.refuse_address(value)
    _plain(walk, value)


def _str(walk: Walk, value: str) -> None:
    if "0x" in value:
        import re

        for address in re.findall("0x([0-9a-fA-F]{5,16})", value):
            walk.refuse_address(int(address, 16))
    _plain(walk, value)


def _sequence(walk: Walk, value: Any) -> None:
    content = _core._canonical(value)
    if content is not None:
        walk.put("plain", content)
    elif type(value) is tuple or not walk.number(value):
        walk.put(type(value).__name__)
        walk.items("holds item", value)


def _set(walk: Walk, value: Any) -> None:
    content = _core._canonical(value)
    if content is not None:
        walk.put("plain", content)
    elif type(value) is frozenset or not walk.number(value):
        walk.put(type(value).__name__)
        walk.unordered("holds", value)


def _dict(walk: Walk, value: Any) -> None:
    content = _core._canonical(value)
    if content is not None:
        walk.put("plain", content)
        return
    module = sys.modules.get(plain) if type(plain := value.get("__name__")) is str else None
    if contents(module) is value:
        walk.step("is what is in", module)
    elif not walk.number(value):
        pairs = list(value.items())
        walk.put("dict", b"%d" % len(pairs))
        for key, item in pairs:
            walk.step("holds the key", key)
            walk.step(f"holds under {described(key)}", item)


def _singleton(walk: Walk, value: Any) -> None:
    walk.put("singleton", repr(value))


HANDLERS.update(dict.fromkeys((type(None), bool, float, complex, bytes, bytearray), _plain))
HANDLERS.update(dict.fromkeys((tuple, list), _sequence))
HANDLERS.update(dict.fromkeys((set, frozenset), _set))
HANDLERS.update(dict.fromkeys((type(Ellipsis), type(NotImplemented)), _singleton))
HANDLERS.update({int: _int, str: _str, dict: _dict})


# ---- errors ---------------------------------------------------------------------------------------------------------


def described(value: Any) -> str:
    """Name a thing for an error's message."""
    kind = type(value)
    if kind in (str, bytes, int, float, bool):
        shown = repr(value)
        return shown if len(shown) < 40 else shown[:36] + " ..."
    if kind is FunctionType:
        return f"the function {value.__qualname__!r}"
    if kind is MethodType:
        return f"the method {value.__qualname__!r}"
    named = value if isinstance(value, type) else kind
    module = "" if named.__module__ == "builtins" else f"{named.__module__}."
    return f"{'the class ' if named is value else ''}{module}{named.__qualname__}"


def explained(root: Any, path: list[tuple[str, Any]], why: str) -> str:
    """Return an error's message: how one comes from the cached callable to what has no name, and what to do."""
    said = described(root)
    for at, (phrase, value) in enumerate(path):
        if at < 4 or at >= len(path) - 4:
            said += f"{', which' if at else ''} {phrase} ({described(value)})"
        elif at == 4:
            said += " ..."
    said += f"{', which' if path else ''} {why}"
    return f"a shared cache has to be given a name here, by name=...: {said}"
