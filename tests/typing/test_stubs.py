"""The stubs of the compiled part say what is there: those of the private entrances too."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tamis import _core

HERE = Path(__file__).parent
MODULES = "tamis._core", "tamis._info", "tamis._mapping"


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_stubs_name_what_the_compiled_part_has_with_its_parameters(tmp_path):
    options = ["--concise", "--allowlist", str(HERE / "stubtest.txt"), "--ignore-unused-allowlist"]
    command = [sys.executable, "-m", "mypy.stubtest", *options, *MODULES]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_private_entrances_say_what_they_do():
    functions = [value for name, value in vars(_core).items() if name[0] == "_" and name[1] != "_" and callable(value)]
    methods = [value for name, value in vars(_core.SieveCacheBase).items() if name.startswith("_") and name[1] != "_"]
    entrances = [*functions, *(getattr(method, "__func__", method) for method in methods)]
    assert len(entrances) > 12
    for entrance in entrances:
        assert (entrance.__doc__ or "").strip().endswith("."), entrance
