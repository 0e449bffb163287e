"""The walk over all that decides what a function returns, and its digest."""

from __future__ import annotations

from tamis import _core
from tamis._identity.code import codes_of
from tamis._identity.digests import Nameless, digester, framed, text
from tamis._identity.program import Program

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias

    Handler: TypeAlias = Callable[["Walk", Any], None]
    # What adds an object to a walk, by its type.
    Handlers: TypeAlias = dict[type, Handler]
    # For types that are in no such table: what a type has to be, and what adds its instances.
    Families: TypeAlias = list[tuple[Callable[[type], bool], Handler]]

# At most so many objects are looked at.
_MOST = 1_000_000
# So many steps deep: some 600 of Python's calls.
_DEEPEST = 150
_NOT_SMALL = 1 << 20


class Walk:
    """A walk over all that something depends on.

    Objects that can change are numbered in the order in which they are met. Where one is met again, its number is
    added. Values that can't change are added again each time: whether two of them are one object depends on caches, and
    not on the source.
    """

    def __init__(self, innermost: Any, mentioned: frozenset[str], handler_for: Callable[[type], Handler]) -> None:
        self.program = Program()
        self._handler_for = handler_for
        # What the cached callable wraps in the end, which may be itself.
        self.innermost = innermost
        # The path to the object that is looked at: a phrase for each step, and the object that it led to.
        self.path: list[tuple[str, Any]] = []
        # Attributes of functions count if some code may ask for them. All words in the code so far, and names that were
        # none.
        self.mentioned = mentioned
        self.words: set[str] = set()
        self.unmentioned: set[str] = set()
        self._hash = digester()
        # By the addresses of objects. The objects are kept, so that no other one gets an address.
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
        self._handler_for(type(value))(self, value)

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
        """Refuse a number that is the address of an object of the walk."""
        if value > _NOT_SMALL and value in self._numbers:
            raise Nameless("is an address, and another one in every process")
