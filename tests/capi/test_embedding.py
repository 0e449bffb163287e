"""examples/embed: a program with Python and tamis in it, built with the static library, and run, under valgrind too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from helpers import memcheck

ROOT = Path(__file__).parents[2]
# Set where these tests are known to be possible, so that nothing is passed over in silence.
REQUIRED = os.environ.get("TAMIS_REQUIRE_EMBEDDING") == "1"


def missing(*, valgrind: bool) -> str | None:
    """Say why these tests are not possible here; None if they are."""
    if sys.version_info < (3, 12):
        return "the example has sub-interpreters with a GIL of their own, which came with Python 3.12"
    if not sysconfig.get_config_var("Py_ENABLE_SHARED"):
        return "this interpreter has no shared library of Python (built without --enable-shared)"
    for command in ("cargo", "cc", "make", *(["valgrind"] if valgrind else [])):
        if shutil.which(command) is None:
            return f"the command '{command}' was not found"
    return None


def require(*, valgrind: bool = False) -> None:
    """Skip the test if it is not possible here, or fail if it has to be."""
    reason = missing(valgrind=valgrind)
    if reason is not None:
        (pytest.fail if REQUIRED else pytest.skip)(reason)


def run(command: Sequence[str]) -> str:
    """Run a command that must succeed."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what the static library consists of."""
    require()
    folder = tmp_path_factory.mktemp("embed")
    run([sys.executable, "setup.py", "-q", "build_staticlib", "--build-dir", str(folder)])
    return folder


@pytest.fixture(scope="module")
def program(library: Path) -> Path:
    """The example, built."""
    folder = library / "bin"
    # With warnings for errors: it shows how things are done.
    settings = [f"PYTHON={sys.executable}", f"TAMIS={library}", f"BUILD={folder}", "CFLAGS=-O2 -g -Werror"]
    run(["make", "-C", "examples/embed", "all", *settings])
    return folder / "embed"


def test_static_library_comes_with_header_and_package(library):
    assert (library / "include" / "tamis.h").read_bytes() == (ROOT / "include" / "tamis.h").read_bytes()
    with zipfile.ZipFile(library / "tamis.zip") as archive:
        names = {info.filename for info in archive.infolist()}
        files = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src" / "tamis").rglob("*.py")}
        assert names == files > {"tamis/__init__.py", "tamis/_identity/region_name.py"}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_program_starts_and_ends_python_ten_times_with_interpreters_in_threads(program, library):
    output = run([str(program), str(library / "tamis.zip"), "10"])
    assert output == "10 rounds of 1 + 12 interpreters\n"


def test_program_without_the_archive_says_what_is_wrong(program, library):
    command = [str(program), str(library / "nothing.zip"), "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "No module named 'tamis'" in done.stderr
    assert done.stderr.endswith("embed: the work in Python failed\n")


def test_valgrind_finds_no_error(program, library):
    require(valgrind=True)
    status, output, errors = memcheck.run([str(program), str(library / "tamis.zip"), "2"], 900)
    assert status == 0, output
    assert errors == []
