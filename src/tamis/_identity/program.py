"""What a module's source says of the names that a function reads.

The values of a module's names differ from process to process: a client that is made when it is first needed, a counter,
the time of the import. So they are not part of the digest. What is part of it is the code that gives them their values:
of a module's own code, the statements that bind such a name or change what it stands for, and those that these depend
on in turn, also in other modules of the same program. That is the same in every process that imports the same source,
and another where a helper's body or a table has changed.

Nothing is imported or run for that. A module's code is taken from the frame that is importing it, or else from its
loader.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType, FunctionType

from tamis._identity.code import codes_in, names_in
from tamis._identity.modules import MAIN, is_folder, is_installed, load_code, namespace_of, package_of, plain_name
from tamis._identity.source import Source

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from tamis._identity.statements import Import, Statement

# Under a module's name and file.
_sources: dict[tuple[str, str], Source] = {}
# So many modules are looked into, besides those of the functions themselves.
_MOST_MODULES = 30


class _Need:
    """The names that are needed of a module, and the statements that say what they are."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.names: set[str] = set()
        self.statements: set[Statement] = set()


class Program:
    """What the functions of one cache need of their modules."""

    def __init__(self) -> None:
        self.needs: dict[int, _Need] = {}
        # The top-level packages of the cached function, which are the program's own wherever they are installed.
        self.own: set[str] = set()
        # The code of functions that are looked at as they are, decorators and all.
        self.live: list[CodeType] = []
        self.frames: dict[int, CodeType] = {}
        self.imports: list[tuple[Source | None, str | None, Import]] = []
        # The modules that were looked into, those that are asked for, and how many still may be.
        self.modules: dict[str, Source | None] = {}
        self.asked: set[str] = set()
        self.left: int | None = None
        # The globals of each source, as they are.
        self.namespaces: dict[int, Mapping[str, Any]] = {}
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            if frame.f_code.co_name == "<module>":
                self.frames.setdefault(id(frame.f_globals), frame.f_code)
            frame = frame.f_back

    def is_near(self, name: str | None, file: str | None) -> bool:
        """Tell whether a module is the program's own, rather than Python's or a library's."""
        if name is None or name in MAIN:
            return True
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top == "tamis":
            return False
        if top in self.own:
            return True
        # In a frozen program all modules look alike.
        return file is not None and not getattr(sys, "frozen", False) and not is_installed(name, file)

    def is_near_module(self, namespace: Mapping[str, Any]) -> bool:
        """As `is_near`, of a module's globals."""
        name, file = namespace.get("__name__"), namespace.get("__file__")
        return self.is_near(name if isinstance(name, str) else None, file if isinstance(file, str) else None)

    def source_of(self, namespace: Mapping[str, Any], code: CodeType | None = None) -> Source | None:
        """Return the source of a module's globals, or the one that this code of its functions was compiled from."""
        source = self._source_of(namespace, code)
        if source is not None:
            self.namespaces[id(source)] = namespace
        return source

    def _source_of(self, namespace: Mapping[str, Any], code: CodeType | None) -> Source | None:
        name = plain_name(namespace.get("__name__"))
        file = namespace.get("__file__")
        if code is not None and not code.co_filename.startswith("<"):
            file = code.co_filename
        place = str(getattr(namespace.get("__spec__"), "origin", None) or file)
        kept = _sources.get((name, place))
        running = self.frames.get(id(namespace))
        if running is not None and (kept is None or kept.code is not running):
            kept = _sources[name, place] = Source(name, package_of(namespace), running)
        if kept is not None and (code is None or kept.contains(code)):
            return kept
        if kept is not None and code is not None and code.co_filename != kept.code.co_filename:
            return None
        loaded = load_code(namespace, place)
        if loaded is None:
            return None
        found = Source(name, package_of(namespace), loaded)
        if code is not None and not found.contains(code):
            return None
        _sources[name, place] = found
        return found

    def _source_of_module(self, name: str) -> Source | None:
        namespace = namespace_of(name)
        if namespace is None or not self.is_near_module(namespace):
            return None
        return self.source_of(namespace)

    def need(self, source: Source, names: set[str]) -> None:
        """Note that these names of a module are read."""
        if id(source) not in self.needs:
            self.needs[id(source)] = _Need(source)
            self.imports.extend((source, source.package, each) for each in source.star_imports)
        self.needs[id(source)].names.update(names)

    def need_imports(self, code: CodeType, namespace: Mapping[str, Any]) -> None:
        """Note what code imports when it runs."""
        from tamis._identity.statements import imports_of

        for each in codes_in(code):
            for imported in imports_of(each):
                imported.used = names_in(code)
                self.imports.append((None, package_of(namespace), imported))

    def finish(self) -> Iterator[tuple[str, list[bytes], set[str], list[tuple[str, Any]]]]:
        """Return, for each module that is needed, its name, the digests of the statements, and the names in them.

        Names that the source binds more than once come with what they are now, which the source does not say.
        """
        while self._admit():
            while self._follow_all():
                pass
        for need in sorted(self.needs.values(), key=lambda need: need.source.name):
            chosen = [statement for statement in need.source.statements if statement in need.statements]
            digests = [statement.digest() for statement in chosen]
            yield need.source.name, digests, need.names, list(self._rebound(need))

    def _admit(self) -> bool:
        """Look into the modules that were asked for, in an order that is the same in every process."""
        if self.left is None:
            self.left = _MOST_MODULES
            return True
        asked = sorted(self.asked)[: self.left]
        self.asked.clear()
        self.left -= len(asked)
        for name in asked:
            self.modules[name] = self._source_of_module(name)
        return bool(asked)

    def _follow_all(self) -> bool:
        """Follow the names that are needed one step through imports. True if that has led to others."""
        before = self._count()
        for need in list(self.needs.values()):
            self._follow(need)
        for source, package, imported in list(self.imports):
            used = imported.used if source is None else self.needs[id(source)].names
            self._follow_import(package, imported, used)
        return self._count() > before

    def _count(self) -> int:
        return sum(len(need.names) for need in self.needs.values())

    def _rebound(self, need: _Need) -> Iterator[tuple[str, Any]]:
        source = need.source
        namespace = self.namespaces.get(id(source))
        if namespace is None:
            return
        for name in sorted(need.names & source.rebound.keys()):
            value = namespace.get(name)
            # Functions have code; of the others, those may differ from process to process that are computed.
            is_function = type(value) is FunctionType
            if (is_function or source.rebound[name]) and not source.binds_later(name):
                yield name, value

    def _follow(self, need: _Need) -> None:
        source, names, statements = need.source, need.names, need.statements
        todo = list(names)
        while todo:
            for statement in source.by_name.get(todo.pop(), ()):
                if statement in statements or self._is_live(statement):
                    continue
                statements.add(statement)
                todo.extend(statement.names - names)
                names.update(statement.names)
                self.imports.extend((source, source.package, each) for each in statement.imports)

    def _is_live(self, statement: Statement) -> bool:
        # The decorators of such a function say, for one, how large its cache is.
        return len(statement.stores) == 1 and any(code in statement.codes for code in self.live)

    def _follow_import(self, package: str | None, imported: Import, used: set[str]) -> None:
        name = _absolute(package, imported)
        if name is None:
            return
        if imported.names is None:
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                self._need_of(".".join(parts[:end]), used)
            return
        found = self._need_of(name, used if imported.names == ("*",) else set(imported.names))
        if found is None and not (name in self.modules and is_folder(name)):
            return
        for each in imported.names:
            if each != "*" and (found is None or each not in found.by_name):
                self._need_of(f"{name}.{each}", used)

    def _need_of(self, module: str, names: set[str]) -> Source | None:
        if module not in self.modules:
            if module.partition(".")[0] not in sys.stdlib_module_names:
                self.asked.add(module)
            return None
        source = self.modules[module]
        if source is not None:
            self.need(source, names & source.by_name.keys())
        return source


def _absolute(package: str | None, imported: Import) -> str | None:
    if not imported.level:
        return imported.module
    parts = package.split(".") if package else []
    if imported.level > len(parts):
        return None
    return ".".join(filter(None, (*parts[: len(parts) - imported.level + 1], imported.module)))
