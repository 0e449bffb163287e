"""Type checkers see through the decorators: files that they must accept, and lines that they must not."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKED = Path(__file__).parent / "typing"


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1"}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)


@functools.cache
def why_it_does_not_run(checker: str) -> str | None:
    if importlib.util.find_spec(checker) is None:
        return f"{checker} is not installed"
    version = run(checker, "--version", cwd=CHECKED)
    return f"{checker} does not start: {version.stderr[-200:]}" if version.returncode else None


def mypy_errors(name: str, directory: Path) -> dict[int, str]:
    """Return the errors by line. The settings are mypy's own, not those of this repository."""
    options = ["--config-file", os.devnull, "--strict", "--cache-dir", str(directory / "cache"), "--no-error-summary"]
    checked = run("mypy", *options, "--python-version", "3.10", str(CHECKED / name), cwd=directory)
    assert checked.returncode in (0, 1), checked.stdout + checked.stderr
    errors = re.findall(r"^.*?(\w+\.pyi?):(\d+): error: (.*)$", checked.stdout, re.MULTILINE)
    assert {file for file, _line, _text in errors} <= {name}, checked.stdout
    assert bool(errors) == bool(checked.returncode), checked.stdout
    return {int(line): text for _file, line, text in errors}


def pyright_errors(name: str, directory: Path) -> dict[int, str]:
    """Return the errors by line."""
    shutil.copy(CHECKED / name, directory)  # what it checks has to lie beside its settings
    settings = {"include": [name], "typeCheckingMode": "strict", "pythonVersion": "3.10"}
    settings["reportMissingModuleSource"] = "none"  # typing_extensions need not be installed
    project = directory / "pyrightconfig.json"
    project.write_text(json.dumps(settings))
    checked = run("pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(project), cwd=directory)
    report = json.loads(checked.stdout)
    assert report["summary"]["filesAnalyzed"] == 1, checked.stdout
    errors = [found for found in report["generalDiagnostics"] if found["severity"] == "error"]
    assert {Path(found["file"]).name for found in errors} <= {name}, checked.stdout
    return {found["range"]["start"]["line"] + 1: found["message"] for found in errors}


CHECKERS = {"mypy": mypy_errors, "pyright": pyright_errors}


@pytest.fixture(params=CHECKERS)
def errors_in(request, tmp_path):
    """Return what finds the errors of a file with one of the checkers."""
    reason = why_it_does_not_run(request.param)
    if reason:
        pytest.skip(reason)
    return lambda name: CHECKERS[request.param](name, tmp_path)


def test_the_checker_accepts_what_is_right_and_finds_the_types(errors_in):
    assert errors_in("accepted.py") == {}


def test_the_checker_rejects_exactly_the_marked_lines(errors_in):
    lines = (CHECKED / "rejected.py").read_text().splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.endswith("  # error")}
    found = errors_in("rejected.py")
    assert len(marked) > 20
    assert {number: lines[number - 1] for number in marked - found.keys()} == {}
    assert {number: text for number, text in found.items() if number not in marked} == {}
