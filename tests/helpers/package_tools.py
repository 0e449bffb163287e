"""For tests/usage: packages that tamis is tried with, and functools beside it."""

from __future__ import annotations

import functools
import importlib
import os
import warnings
from types import ModuleType

import pytest

import tamis

# A test with an argument `caches` runs with functools' decorators too: what it expects is what those do.
as_functools = pytest.mark.parametrize("caches", [functools, tamis], ids=["functools", "tamis"])


def package(name: str, extra: str = "packages") -> ModuleType:
    """Import a package, or skip the tests that need it, unless TAMIS_REQUIRE_PACKAGES wants them all."""
    with warnings.catch_warnings():
        # What a package says while it is imported is for its authors.
        warnings.simplefilter("ignore")
        if extra == "packages" and os.environ.get("TAMIS_REQUIRE_PACKAGES"):
            return importlib.import_module(name)
        return pytest.importorskip(name, reason=f"{name} is not installed: the extra {extra!r} has it")
