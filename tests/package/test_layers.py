"""One way down: what stands above imports what stands below, and no files import each other in a circle."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from helpers.imports import Sources, circles

SOURCES = Path(__file__).parents[2] / "src"

# Each layer, and those that it may import from.
LAYERS: dict[str, tuple[str, ...]] = {
    "core": (),
    "backend": ("core",),
    "shm": ("backend", "core"),
    "ffi": ("core",),
    "state": ("ffi", "core"),
    "py": ("state", "ffi", "shm", "backend", "core"),
    "module": ("py", "state", "ffi", "shm", "backend", "core"),
    "lib": ("module",),
}


def layer(file: str) -> str:
    """The layer of a file, by its folder or its own name."""
    return file.partition("/")[0].removesuffix(".rs")


def imports_upward(sources: Sources) -> list[tuple[str, str]]:
    """The imports that don't run down: of which file, from which."""
    return sorted(
        (file, other)
        for file, others in sources.imports().items()
        for other in others
        if layer(other) not in (layer(file), *LAYERS[layer(file)])
    )


def test_no_import_runs_up():
    assert imports_upward(Sources(SOURCES)) == []


def test_no_files_import_each_other_in_a_circle():
    assert circles(Sources(SOURCES).imports()) == []


def test_every_file_is_read_and_belongs_to_a_layer():
    read = set(Sources(SOURCES).imports())
    files = {file.relative_to(SOURCES).as_posix() for file in SOURCES.rglob("*.rs")}
    # The build script is no part of the crate.
    assert files - read == {"build.rs"}
    assert {layer(file) for file in read} == set(LAYERS)


@pytest.fixture
def changed(tmp_path):
    """Make a copy of the sources in which a file has one more line."""

    def change(file: str, line: str) -> Sources:
        copy = tmp_path / "src"
        shutil.copytree(SOURCES, copy, ignore=lambda folder, names: [n for n in names if n.endswith(".so")])
        with (copy / file).open("a", encoding="utf-8") as opened:
            opened.write(f"\n{line}\n")
        return Sources(copy)

    return change


@pytest.mark.parametrize(
    ("file", "line", "other"),
    [
        ("core/hash.rs", "use crate::backend::Request;", "backend.rs"),
        ("core/slot.rs", "fn f() { crate::ffi::thread::detached(|| {}); }", "ffi/thread.rs"),
        ("shm/lock.rs", "use crate::ffi::{Borrowed, thread};\nfn f() { thread::detached(|| {}); }", "ffi/thread.rs"),
        ("state/mod.rs", "use crate::py::entry::EntryTerms as Terms;\nfn f(_: Terms) {}", "py/entry.rs"),
        ("py/entry.rs", "use crate::module::PyInit__core;", "module.rs"),
        # Files that stand in for others by a cfg.
        ("shm/unsupported.rs", "use super::super::py::entry::EntryTerms;", "py/entry.rs"),
        ("ffi/sync/free/mod.rs", "use crate::state::State;", "state/mod.rs"),
        ("ffi/compat/count_biased.rs", "use crate::state::State;", "state/mod.rs"),
    ],
)
def test_an_import_that_runs_up_is_found(changed, file, line, other):
    assert (file, other) in imports_upward(changed(file, line))


@pytest.mark.parametrize(
    ("file", "line", "others"),
    [
        ("core/hash.rs", "use crate::core::index::Index;", {"core/hash.rs"}),
        ("py/entry.rs", "use crate::py::cache::policy::Policy;", {"py/entry.rs", "py/cache/policy.rs"}),
        (
            "py/key/hash.rs",
            "fn f() { super::super::function::Wrapper::of; }",
            {"py/key/hash.rs", "py/function/object.rs"},
        ),
        ("ffi/reference.rs", "pub use super::sync::LockedStore;\nfn f(_: LockedStore) {}", {"ffi/reference.rs"}),
    ],
)
def test_a_circle_is_found(changed, file, line, others):
    assert any(others <= set(circle) for circle in circles(changed(file, line).imports()))
