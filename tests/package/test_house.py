"""The house is in order: no file is long, and a newcomer finds each test, which can be run alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
LIMIT = 400
CODE = {".rs", ".py", ".pyi", ".c", ".cpp", ".h"}
# Capabilities; what users do; and the tests that lie beside what they run.
FOLDERS = {"function", "options", "mapping", "coroutine", "shared", "remote", "threads", "capi", "package"}
FOLDERS |= {"usage", "fuzz", "typing"}
# Files that were longer when this limit came, with their lines: they may only become shorter, and leave the list then.
LONGER: dict[str, int] = {}


def lines_of(folder: Path) -> dict[str, int]:
    """Return the number of lines of each file with code, by its path in the repository."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").count("\n")
        for path in folder.rglob("*")
        if path.suffix in CODE and "target" not in path.parts
    }


def test_no_file_of_the_tests_is_long():
    assert {path: lines for path, lines in lines_of(TESTS).items() if lines > LIMIT} == {}


def test_no_file_of_the_sources_is_long():
    lines = lines_of(ROOT / "src")
    assert len(lines) > 100
    assert {path: count for path, count in lines.items() if count > LONGER.get(path, LIMIT)} == {}


def test_files_that_may_be_long_are_still_long():
    lines = lines_of(ROOT / "src")
    assert {path: lines.get(path) for path in LONGER if lines.get(path, 0) <= LIMIT} == {}, "take them off the list"


def test_each_test_lies_in_the_folder_of_a_capability():
    files = list(TESTS.rglob("test_*.py"))
    assert len(files) > 100
    assert {path.parent.relative_to(TESTS).as_posix() for path in files} <= FOLDERS


def test_no_two_files_of_tests_have_one_name():
    # They are imported by their names alone.
    names = Counter(path.name for path in TESTS.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_tests_that_run_everywhere_are_there():
    listed = (TESTS / "portable.txt").read_text(encoding="utf-8").split()
    assert len(listed) > 10
    assert [path for path in listed if not (ROOT / path).exists()] == []
