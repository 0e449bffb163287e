"""What differs between builds, and what knows CPython from the inside, lies in one place each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src"
COMMENT = re.compile(r"//[^\n]*")

BUILDS = re.compile(r"\bPy_GIL_DISABLED\b")
VERSIONS = re.compile(r"\bPy_3_\d+\b")
# A declaration of a C function, not a definition of one. Private names begin with an underscore.
DECLARATIONS = re.compile(r'\bextern\s+"C"\s*\{|\b_Py[A-Z]\w*')


def files_with(pattern: re.Pattern[str], sources: Path = SOURCES) -> set[str]:
    """The files whose code, comments left out, has such a word."""
    return {
        file.relative_to(sources).as_posix()
        for file in sources.rglob("*.rs")
        if pattern.search(COMMENT.sub("", file.read_text(encoding="utf-8")))
    }


@pytest.mark.parametrize(
    ("pattern", "home", "others"),
    [
        # The build script hands the cfgs on.
        (BUILDS, "ffi/sync/", {"build.rs"}),
        (VERSIONS, "ffi/compat/", set()),
        (DECLARATIONS, "ffi/compat/", set()),
    ],
    ids=["builds", "versions", "declarations"],
)
def test_what_differs_between_interpreters_lies_in_one_folder(pattern, home, others):
    found = files_with(pattern)
    assert {file for file in found if not file.startswith(home)} <= others
    assert any(file.startswith(home) for file in found)


def test_a_cfg_of_a_version_elsewhere_is_found(tmp_path):
    (tmp_path / "wrong.rs").write_text("#[cfg(Py_3_14)]\nmod a; // Py_3_15\n", encoding="utf-8")
    (tmp_path / "right.rs").write_text("// From Py_3_14 on.\nmod a;\n", encoding="utf-8")
    assert files_with(VERSIONS, tmp_path) == {"wrong.rs"}
