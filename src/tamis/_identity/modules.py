"""Modules: their names, contents and code, found without importing anything."""

from __future__ import annotations

import os
import sys
from types import CodeType

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MAIN = "__main__", "__mp_main__"
# Where packages are installed.
_INSTALLED = {"site-packages", "dist-packages"}
# Folders, and whether packages are installed there.
_folders: dict[str, bool] = {}


def plain_name(module: str | None) -> str:
    """Return a module's name. The main module has another one in processes that multiprocessing spawns."""
    return "__main__" if module in MAIN else str(module)


def contents(module: Any) -> dict[str, Any]:
    """Return what is in a module, without importing one that is imported when it is first used."""
    try:
        found = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return {}
    return found if isinstance(found, dict) else {}


def is_installed(name: str, file: str) -> bool:
    """Tell whether a module is of an installed package."""
    parts = file.split(os.sep)
    if _INSTALLED.intersection(parts):
        return True
    # Above the package, `pip install --target` puts a folder with its metadata.
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


def version_of(module: str) -> str:
    """Return the version that the package of a module says it has."""
    version = contents(sys.modules.get(module.partition(".")[0])).get("__version__")
    return version if isinstance(version, str) else ""


def found_under(module: Any, name: str) -> Any:
    """Return what is found under a name, as pickle would find it, or None."""
    if not isinstance(module, str) or "<" in name:
        return None
    first, *rest = name.split(".")
    found = contents(sys.modules.get(module)).get(first)
    try:
        for part in rest:
            found = getattr(found, part)
    except Exception:
        return None
    return found
