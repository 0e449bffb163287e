"""The code of modules: found without importing anything, and taken apart into statements."""

from __future__ import annotations

import os
import sys
from collections import Counter
from types import CodeType

from tamis._canonical import codes_in

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tamis._statements import Statement

MAIN = "__main__", "__mp_main__"
# Where packages are installed.
_INSTALLED = {"site-packages", "dist-packages"}
# Folders, and whether packages are installed there.
_folders: dict[str, bool] = {}


def plain_name(module: str | None) -> str:
    """Return a module's name. The main module has another one in processes that multiprocessing spawns."""
    return "__main__" if module in MAIN else str(module)


def contents(module: Any) -> dict[str, Any]:
    """Return what is in a module, without having one imported that waits for that."""
    try:
        found = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return {}
    return found if isinstance(found, dict) else {}


class Source:
    """The code of a module."""

    def __init__(self, name: str, package: str | None, code: CodeType) -> None:
        # Imports dis.
        from tamis._statements import statements_of

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
            from tamis._statements import stored_in

            self._stored = {name for code in codes_in(self.code) for name in stored_in(code)}
        return name in self._stored


def is_installed(name: str, file: str) -> bool:
    """Tell whether a module is of an installed package."""
    parts = file.split(os.sep)
    if _INSTALLED.intersection(parts):
        return True
    # Above the package, `pip install --target` leaves a folder of its own for what it knows of it.
    depth = name.count(".") + (parts[-1].startswith("__init__."))
    folder = os.sep.join(parts[: -depth - 1]) or (os.sep if os.path.isabs(file) else os.curdir)
    if folder not in _folders:
        try:
            _folders[folder] = any(each.endswith(".dist-info") for each in os.listdir(folder))
        except OSError:
            _folders[folder] = False
    return _folders[folder]


def namespace_of(name: str) -> dict[str, Any] | None:
    """Return a module's globals, or those that it would have at the beginning of its import."""
    module = sys.modules.get(name)
    if module is not None:
        return contents(module)
    parent, _, _ = name.rpartition(".")
    within = namespace_of(parent) if parent else None
    path: Any = None
    if within is not None:
        path = within.get("__path__") or getattr(within.get("__spec__"), "submodule_search_locations", None)
    if parent and path is None:
        return None
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, path)
        except Exception:
            continue
        if spec is not None:
            package = parent if spec.submodule_search_locations is None else name
            return {"__name__": name, "__spec__": spec, "__file__": spec.origin, "__package__": package}
    return None


def is_folder(name: str) -> bool:
    """Whether a package is a mere folder, without a file of its own."""
    found = contents(sys.modules.get(name))
    return "__path__" in found and found.get("__file__") is None


def package_of(namespace: Mapping[str, Any]) -> str | None:
    """Return the package that relative imports of a module start from."""
    package = namespace.get("__package__")
    if isinstance(package, str):
        return package
    name = namespace.get("__name__")
    return name.rpartition(".")[0] if isinstance(name, str) else None


def load_code(namespace: Mapping[str, Any], file: str) -> CodeType | None:
    """Return a module's code, without importing it."""
    spec = namespace.get("__spec__")
    loader = getattr(spec, "loader", None) or namespace.get("__loader__")
    code: Any = None
    try:
        if loader is not None and hasattr(loader, "get_code") and (spec is not None or file.endswith(".pyc")):
            code = loader.get_code(getattr(spec, "name", namespace.get("__name__")))
        else:
            # A script, whose loader would leave its code in __pycache__; or a loader that changes the code, as pytest's
            # does.
            with open(file, "rb") as opened:
                code = compile(opened.read(), file, "exec", dont_inherit=True)
    except Exception:
        return None
    return code if isinstance(code, CodeType) else None
