"""Builds the extension modules of tests/capi, and what the tests of the C API share."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

from helpers.subprocess_tools import PACKAGE_FOLDER

SOURCES = Path(__file__).parents[1] / "capi"
# One module is compiled as C11, the other as C++17.
LANGUAGES = ["c", "cpp"]


def run(command: list[str], folder: Path) -> None:
    """Run a command that must succeed and say nothing of errors."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"


def build(folder: Path) -> Path:
    """Build the modules in this folder, which is to be made."""
    shutil.copytree(SOURCES, folder, ignore=shutil.ignore_patterns("test_*.py", "__pycache__"))
    # setup.py is to import the tamis that this process has.
    start = f"import sys; sys.path.insert(0, {PACKAGE_FOLDER!r}); sys.argv[:] = ['setup.py', 'build_ext', '--inplace']"
    run([sys.executable, "-c", start + "; import runpy; runpy.run_path('setup.py', run_name='__main__')"], folder)
    return folder


def require_compiler(language: str) -> None:
    """Skip the test of a language that can't be compiled here."""
    compiler = shlex.split(sysconfig.get_config_var("CXX" if language == "cpp" else "CC"))[0]
    if shutil.which(compiler) is None:
        pytest.skip(f"the compiler of this interpreter's extension modules, {compiler!r}, was not found")


def load(folder: Path, language: str) -> ModuleType:
    """Import one of the modules, once."""
    require_compiler(language)
    name = f"use_tamis_{language}"
    if name not in sys.modules:
        path = folder / (name + sysconfig.get_config_var("EXT_SUFFIX"))
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


class Refuse(Exception):
    """Raised on purpose."""


class BadHash:
    def __hash__(self):
        raise Refuse("hash")


class BadEq:
    """Meets itself only by identity; asked for equality, it raises."""

    def __hash__(self):
        return 7

    def __eq__(self, other):
        raise Refuse("eq")


class Thing:
    """Can be referred to weakly."""


def listed(*args: object, **kwargs: object) -> list[object]:
    return [args, kwargs]
