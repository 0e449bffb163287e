"""Builds and loads `floor.c` for the running interpreter.

The extension goes to `build/<SOABI>/` beside this file and is built again when the source is newer.
Run as a script, it builds and says where the result is.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "floor.c"


class Missing(Exception):
    """Something the bench needs is not on this machine; the message is one line for the user."""


def _words(name: str) -> list[str]:
    """A sysconfig variable, which the environment may override, as words of a command line."""
    return shlex.split(os.environ.get(name) or sysconfig.get_config_var(name) or "")


def _target() -> Path:
    soabi = sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag
    return HERE / "build" / soabi / "_floor.so"


def _include() -> str:
    """The folder of Python.h. `get_paths` comes first: it follows an interpreter that was moved, INCLUDEPY does not."""
    folders = [sysconfig.get_paths()["include"], sysconfig.get_paths()["platinclude"]]
    folders.append(sysconfig.get_config_var("INCLUDEPY") or "")
    for folder in folders:
        if folder and Path(folder, "Python.h").exists():
            return folder
    raise Missing(f"no Python.h in {folders[0]}: install the development headers of this Python")


def _command(output: Path) -> list[str]:
    """One command that compiles and links, with the flags the interpreter was built with, -O3 last so that it wins."""
    linker = [*shlex.split(os.environ["CC"]), "-shared"] if os.environ.get("CC") else _words("LDSHARED")
    if not linker or not shutil.which(linker[0]):
        if os.environ.get("CC") or not shutil.which("cc"):
            raise Missing(f"no C compiler: {linker[0] if linker else 'cc'} is not on the PATH; install one, or set CC")
        linker = ["cc", "-shared"]
    flags = _words("CFLAGS") + _words("CCSHARED") + ["-O3", f"-I{_include()}"]
    return [*linker, *flags, str(SOURCE), "-o", str(output)]


def build(again: bool = False) -> Path:
    """The path of the extension, built first where it is missing or older than its source. Raises Missing."""
    target = _target()
    if not again and target.exists() and target.stat().st_mtime >= SOURCE.stat().st_mtime:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    (HERE / "build" / ".gitignore").write_text("*\n")
    # A name of our own, then a rename: two benches started together never load half a file.
    partial = target.with_suffix(f".{os.getpid()}.so")
    try:
        done = subprocess.run(_command(partial), capture_output=True, text=True)
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines() or ["?"]
            raise Missing(f"the C compiler failed on floor.c: {errors[0].strip()}")
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def load(again: bool = False) -> ModuleType:
    """The extension module, with Floor, HAS_CALLGRIND and count. Raises Missing."""
    path = str(build(again))
    loader = importlib.machinery.ExtensionFileLoader("_floor", path)
    spec = importlib.util.spec_from_file_location("_floor", path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def decorator(module: ModuleType) -> Callable[..., Any]:
    """A stand-in for `lru_cache` that takes its options and puts a Floor in the function's place."""

    def lru_cache(**_options: Any) -> Callable[[Any], Any]:
        return lambda _function: module.Floor()

    return lru_cache


if __name__ == "__main__":
    try:
        print(build(again=True))
    except Missing as missing:
        print(missing, file=sys.stderr)
        sys.exit(2)
