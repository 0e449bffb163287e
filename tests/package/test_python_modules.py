"""The modules of the Python package import each other in one direction, and are there where Rust names them."""

from __future__ import annotations

import ast
import importlib
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "tamis"


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_by(path: Path, modules: set[str]) -> set[str]:
    """Return the modules of the package that a file imports: in functions and for type checkers too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            inner = {f"{node.module}.{each.name}" for each in node.names}
            # `from tamis import _core` is an import of `tamis._core`.
            found |= inner & modules or {node.module}
    return found & modules


def imports_of_package(package: Path) -> dict[str, set[str]]:
    files = [*package.rglob("*.py"), *package.rglob("*.pyi")]
    modules = {module_name(path) for path in files}
    graph: dict[str, set[str]] = {}
    for path in files:
        graph.setdefault(module_name(path), set()).update(imported_by(path, modules))
    return graph


def test_no_module_of_the_package_imports_itself_by_way_of_others():
    graph = imports_of_package(PACKAGE)
    assert len(graph) > 30
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_an_import_in_a_function_would_close_a_circle(tmp_path, monkeypatch):
    package = tmp_path / "tamis"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("from tamis import two\n")
    (package / "two.py").write_text("def f():\n    from tamis.one import g\n")
    monkeypatch.setitem(globals(), "PACKAGE", package)
    with pytest.raises(CycleError):
        TopologicalSorter(imports_of_package(package)).prepare()


def test_what_rust_imports_of_the_package_is_there():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.rs")]
    pairs = {pair for source in sources for pair in re.findall(r'c"(tamis\.\w[\w.]*)",\s*c"(\w+)"', source)}
    pairs = {(module, name) for module, name in pairs if not module.startswith("tamis._core")}
    assert len(pairs) > 10
    for module, name in pairs:
        assert hasattr(importlib.import_module(module), name), f"{module} has no {name}"


def test_files_of_the_package_are_short():
    files = [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyi")]
    long = {path.name: lines for path in files if (lines := path.read_text(encoding="utf-8").count("\n")) > 400}
    assert not long
