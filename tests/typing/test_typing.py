"""Type checkers see through the decorators: files that they must accept, and lines that they must not."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKED = Path(__file__).parent
ACCEPTED = sorted(path.name for path in CHECKED.glob("accepted_*.py"))
# Programs without annotations, which checkers report when they are strict.
LOOSE = ["accepted_loose.py"]
REJECTED = "rejected.py"
Errors = dict[str, dict[int, str]]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)


@functools.cache
def why_it_does_not_run(checker: str) -> str | None:
    if importlib.util.find_spec(checker) is None:
        return f"{checker} is not installed"
    version = run(checker, "--version", cwd=CHECKED)
    return f"{checker} does not start: {version.stderr[-200:]}" if version.returncode else None


def mypy_errors(names: list[str], directory: Path, strict: bool) -> Errors:
    """Return the errors by file and line. The settings are mypy's own, not those of this repository."""
    options = ["--config-file", os.devnull, "--cache-dir", str(directory / "cache"), "--no-error-summary"]
    options += ["--python-version", "3.10", "--strict" if strict else "--check-untyped-defs"]
    checked = run("mypy", *options, *(str(CHECKED / name) for name in names), cwd=directory)
    assert checked.returncode in (0, 1), checked.stdout + checked.stderr
    found = re.findall(r"^.*?(\w+\.pyi?):(\d+): error: (.*)$", checked.stdout, re.MULTILINE)
    assert {file for file, _line, _text in found} <= set(names), checked.stdout
    assert bool(found) == bool(checked.returncode), checked.stdout
    errors: Errors = {name: {} for name in names}
    for file, line, text in found:
        errors[file][int(line)] = text
    return errors


def pyright_errors(names: list[str], directory: Path, strict: bool) -> Errors:
    """Return the errors by file and line."""
    for name in names:
        shutil.copy(CHECKED / name, directory)  # what it checks has to lie beside its settings
    settings: dict[str, object] = {"include": names, "typeCheckingMode": "strict" if strict else "basic"}
    settings["pythonVersion"] = "3.10"
    settings["reportMissingModuleSource"] = "none"  # typing_extensions need not be installed
    project = directory / "pyrightconfig.json"
    project.write_text(json.dumps(settings))
    checked = run("pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(project), cwd=directory)
    report = json.loads(checked.stdout)
    assert report["summary"]["filesAnalyzed"] == len(names), checked.stdout
    found = [one for one in report["generalDiagnostics"] if one["severity"] == "error"]
    errors: Errors = {name: {} for name in names}
    for one in found:
        errors[Path(one["file"]).name][one["range"]["start"]["line"] + 1] = one["message"]
    return errors


CHECKERS = {"mypy": mypy_errors, "pyright": pyright_errors}


@pytest.fixture(scope="module", params=CHECKERS)
def errors_in(request, tmp_path_factory):
    """Return what finds the errors of all files with one of the checkers, once for each mode."""
    reason = why_it_does_not_run(request.param)
    if reason:
        pytest.skip(reason)

    @functools.cache
    def find(strict: bool) -> Errors:
        names = [name for name in ACCEPTED if not strict or name not in LOOSE]
        return CHECKERS[request.param]([*names, REJECTED], tmp_path_factory.mktemp(request.param), strict)

    return find


def lines_of(errors: Errors) -> dict[str, str]:
    """Return the errors of accepted files under what they are about."""
    return {
        f"{name}:{line} {(CHECKED / name).read_text().splitlines()[line - 1].strip()}": text
        for name, found in errors.items()
        if name != REJECTED
        for line, text in found.items()
    }


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "loose"])
def test_the_checker_accepts_what_is_right_and_finds_the_types(errors_in, strict):
    assert lines_of(errors_in(strict)) == {}


def test_the_checker_rejects_exactly_the_marked_lines(errors_in):
    lines = (CHECKED / REJECTED).read_text().splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.endswith("  # error")}
    found = errors_in(True)[REJECTED]
    assert len(marked) > 20
    assert {number: lines[number - 1] for number in marked - found.keys()} == {}
    assert {number: text for number, text in found.items() if number not in marked} == {}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_the_checkers_accept_runs(name):
    runpy.run_path(str(CHECKED / name))
