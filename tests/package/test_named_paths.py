"""What the pages for those who work on tamis name as files is there."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = "docs/contributing.md", "docs/architecture.md"
# Made by commands, or of another program.
ELSEWHERE = {"build/", "dist/", "build/site", "NAME.gz", "/proc/PID/maps"}
FOLDERS = ".ci", ".github", "bench", "docs", "examples", "include", "src", "tests"
_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"[\w/]+\.(?:rs|pyi?)\b")
_PATH = re.compile(r"`([\w.*+/-]+/[\w.*+/-]*|[\w.*+-]+\.(?:rs|py|pyi|md|toml|lock|h|c|txt|supp|yml))`")


def paths_in(page: str) -> set[str]:
    """Return what stands in backquotes and has a slash or the ending of a file."""
    return set(_PATH.findall(_BLOCK.sub("", page))) - ELSEWHERE


def files_in_maps(page: str) -> set[str]:
    """Return the names of source files in the page's blocks: maps of folders."""
    return {name for block in _BLOCK.findall(page) for name in _FILE.findall(block)}


def files() -> list[str]:
    """Return all files and folders of the tree, without what is built in it."""
    found = [*ROOT.glob("*"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))]
    return [path.relative_to(ROOT).as_posix() for path in found]


def is_there(path: str, names: list[str]) -> bool:
    """Tell whether a file or folder has this path, or ends with it: pages leave out `src/` where that is plain."""
    wanted = path.removesuffix("/")
    return any(fnmatchcase(name, wanted) or fnmatchcase(name, f"*/{wanted}") for name in names)


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = paths_in(text) | files_in_maps(text)
    assert len(named) > 20
    names = files()
    missing = sorted(path for path in named if not is_there(path, names))
    assert not missing, f"{page} names what is not there: {', '.join(missing)}"


def test_a_file_that_was_renamed_is_missed():
    assert paths_in("see `src/core/sieve.rs`, `ffi/sync`, `hit.rs` and `make test`\n```\n`src/no.rs`\n```\n") == {
        "src/core/sieve.rs",
        "ffi/sync",
        "hit.rs",
    }
    assert files_in_maps("`src/yes.rs`\n```\nno.rs  a file   _core.pyi\n```\n") == {"no.rs", "_core.pyi"}
    names = ["src/core/sieve.rs", "src/core", "src/ffi/sync", "src/ffi", "src"]
    assert is_there("src/core/sieve.rs", names)
    assert is_there("ffi/sync/", names)
    assert is_there("src/core/*.rs", names)
    assert not is_there("hit.rs", names)
    assert not is_there("eve.rs", names)
