"""Which file of the Rust sources imports what of which other, told by their `use` lines and paths.

A name that a `mod.rs` exports again (`pub use`) counts as imported from the file that defines it. A `mod` line is no
import. Where a cfg picks one of several files for a module (`#[path]`), the module is all of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

Name = tuple[str, ...]

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_STRING = re.compile(r'"(?:\\.|[^"\\])*"')
_MOD = re.compile(r"(?P<attributes>(?:#\[[^\]]*\]\s*)*)(?:pub(?:\([^)]*\))?\s+)?mod\s+(?P<name>\w+)\s*;")
_USE = re.compile(r"(?P<visible>pub(?:\([^)]*\))?\s+)?\buse\s+(?P<tree>[^;]+);")
_PATH = re.compile(r"\b(?P<path>(?:crate|self|super)(?:::(?!<)\w+)+)")
_FILE = re.compile(r'\bpath\s*=\s*"([^"]+)"')


def _tree(text: str, prefix: Name = ()) -> Iterator[tuple[Name, str]]:
    """The paths in a `use` tree, and the name that each has from then on."""
    text = text.strip()
    head, brace, rest = text.partition("{")
    if brace:
        prefix = (*prefix, *(part for part in head.strip().split("::") if part))
        depth, start = 0, 0
        inside = rest[: rest.rindex("}")]
        for at, character in enumerate(inside + ","):
            depth += {"{": 1, "}": -1}.get(character, 0)
            if character == "," and depth == 0:
                if inside[start:at].strip():
                    yield from _tree(inside[start:at], prefix)
                start = at + 1
        return
    path, _, alias = text.partition(" as ")
    parts = (*prefix, *path.strip().split("::"))
    if parts[-1] == "self" and len(parts) > 1:
        parts = parts[:-1]
    yield parts, alias.strip() or parts[-1]


class _Module:
    def __init__(self, file: Path, name: Name) -> None:
        self.file, self.name = file, name
        source = file.read_text()
        self.mods = [
            (match["name"], _FILE.findall(match["attributes"])) for match in _MOD.finditer(_COMMENT.sub("", source))
        ]
        self.text = _STRING.sub('""', _COMMENT.sub("", source))
        self.uses = [
            (path, alias, bool(match["visible"]))
            for match in _USE.finditer(self.text)
            for path, alias in _tree(match["tree"])
        ]
        self.body = _USE.sub("", self.text)

    def defines(self, name: str) -> bool:
        kinds = r"(?:fn|struct|enum|union|trait|type|const|static|macro_rules!)"
        return re.search(rf"\b{kinds}\s+(?:mut\s+)?{name}\b", self.text) is not None


class Sources:
    """The crate below a folder that has a `lib.rs`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.modules: dict[Name, list[_Module]] = {}
        self._read(root / "lib.rs", ())

    def _read(self, file: Path, name: Name) -> None:
        module = _Module(file, name)
        self.modules.setdefault(name, []).append(module)
        folder = file.parent if file.name in ("lib.rs", "mod.rs") else file.with_suffix("")
        for child, paths in module.mods:
            # A path is one from the folder of the file, a name one from the module's own.
            places = [file.parent / path for path in paths]
            places += [folder / f"{child}.rs", folder / child / "mod.rs"]
            for place in dict.fromkeys(Path(os.path.normpath(place)) for place in places):
                if place.exists():
                    self._read(place, (*name, child))

    def _absolute(self, path: Name, module: _Module) -> Name | None:
        """The path from the crate's root, or None if it leads out of the crate."""
        head, *rest = path
        if head == "crate":
            return tuple(rest)
        if head in ("self", "super"):
            name = module.name
            while path and path[0] in ("self", "super"):
                name = name if path[0] == "self" else name[:-1]
                path = path[1:]
            return (*name, *path)
        if (*module.name, head) in self.modules:
            return (*module.name, *path)
        return None

    def _files(self, path: Name, seen: frozenset[Name] = frozenset()) -> set[Path]:
        """The files that define what this path names; none if it is a module, or not of this crate."""
        if path in self.modules or path in seen or not path or path[-1] == "*":
            return set()
        seen |= {path}
        at = next(length for length in range(len(path) - 1, -1, -1) if path[:length] in self.modules)
        owner, name = path[:at], path[at]
        found: set[Path] = set()
        for module in self.modules[owner]:
            if module.defines(name):
                found.add(module.file)
                continue
            for used, alias, _visible in module.uses:
                target = self._absolute(used, module)
                if target is None:
                    continue
                if alias == name:
                    found |= self._files((*target, *path[at + 1 :]), seen)
                elif alias == "*":
                    found |= self._files((*target[:-1], *path[at:]), seen)
        return found

    def imports(self) -> dict[str, dict[str, set[str]]]:
        """Of each file: the files that it imports from, and the names."""
        graph: dict[str, dict[str, set[str]]] = {}
        for variants in self.modules.values():
            for module in variants:
                edges = graph.setdefault(str(module.file.relative_to(self.root)), {})
                for path in self._paths(module):
                    for file in self._files(path) - {module.file}:
                        edges.setdefault(str(file.relative_to(self.root)), set()).add(path[-1])
        return graph

    def _paths(self, module: _Module) -> Iterator[Name]:
        """All paths from the crate's root that a file names, but for those that it hands on."""
        for used, alias, visible in module.uses:
            target = self._absolute(used, module)
            if target is None:
                continue
            if target in self.modules:
                yield from self._below(target, alias, module)
            elif not visible or re.search(rf"\b{alias}\b", module.body):
                yield target
        for match in _PATH.finditer(module.body):
            target = self._absolute(tuple(match["path"].split("::")), module)
            if target:
                yield target
                yield target[:-1]
        for child, _paths in module.mods:
            yield from self._below((*module.name, child), child, module)

    def _below(self, target: Name, alias: str, module: _Module) -> Iterator[Name]:
        """What a file names of a module that it has under this alias."""
        for path in re.findall(rf"(?<!::)\b{alias}((?:::\w+)+)", module.body):
            parts = path.split("::")[1:]
            yield from ((*target, *parts[:length]) for length in range(1, len(parts) + 1))


def circles(graph: dict[str, dict[str, set[str]]]) -> list[list[str]]:
    """The files that lead to themselves, those of one circle together (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in graph.get(node, {}):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in list(graph):
        if node not in order:
            visit(node)
    return found
