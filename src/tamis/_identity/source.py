"""The code of a module, and which of its statements say what a name is."""

from __future__ import annotations

from collections import Counter
from types import CodeType

from tamis._identity.code import codes_in

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from tamis._identity.statements import Statement


class Source:
    """The code of a module."""

    def __init__(self, name: str, package: str | None, code: CodeType) -> None:
        # Imports dis.
        from tamis._identity.statements import statements_of

        self.name = name
        self.package = package
        self.code = code
        self.statements = statements_of(code)
        self.by_name: dict[str, list[Statement]] = {}
        self.bound = {name for each in self.statements for name in each.stores}
        imported = {name for each in self.statements if each.imports for name in each.stores}
        for each in self.statements:
            for bound in each.stores | (each.touches - imported):
                self.by_name.setdefault(bound, []).append(each)
        self.rebound = self._rebound()
        self.star_imports = [each for s in self.statements for each in s.imports if each.names == ("*",)]
        self._codes: dict[tuple[str, int], list[CodeType]] | None = None
        self._stored: set[str] | None = None

    def _rebound(self) -> dict[str, bool]:
        """Return the names that are bound more than once, and whether each time to a constant."""
        bindings = Counter(name for each in self.statements for name in each.bindings)
        literals = Counter(name for each in self.statements for name in each.literals)
        # A script binds them in one process, and not in those that it spawns.
        of_main = {name for each in self.statements if each.is_of_main for name in each.stores}
        return {n: literals[n] == count for n, count in bindings.items() if count > 1 and n not in of_main}

    def contains(self, code: CodeType) -> bool:
        """Tell whether code was compiled from this source."""
        if self._codes is None:
            self._codes = {}
            for each in codes_in(self.code):
                self._codes.setdefault((each.co_name, each.co_firstlineno), []).append(each)
        return code in self._codes.get((code.co_name, code.co_firstlineno), ())

    def binds(self, name: str) -> bool:
        """Tell whether the source gives this name a value, at whatever time."""
        return name in self.bound or bool(self.star_imports) or self.binds_later(name)

    def binds_later(self, name: str) -> bool:
        """Tell whether functions of the source give this name a value."""
        if self._stored is None:
            from tamis._identity.statements import stored_in

            self._stored = {name for code in codes_in(self.code) for name in stored_in(code)}
        return name in self._stored
