"""The code in the README and in docs/ works: all of its blocks are run, or compiled."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import tamis
from helpers.capi_tools import require_compiler, run
from helpers.docs_tools import ROOT, Block, blocks, pages
from helpers.subprocess_tools import PACKAGE_FOLDER, environment_with

PAGES = pages()
# What the pages' examples run and import.
EXAMPLES = {
    "app.py": "print('the program')\n",
    "application.py": "import functools\nfunction = functools.lru_cache(str)\nfunction(1)\n",
    "another.py": "",
    "package/__init__.py": "",
    "package/__main__.py": "print('the package')\n",
}
# Languages of blocks that are no code.
PLAIN = {"", "text", "toml"}
# Commands that install, need what is not here, or are run by other tests; the last ones are by test_embedding.py.
NOT_RUN = re.compile(
    r"pip install |cargo |python bench/|python3? tests/helpers/memcheck|python3?\.\d+ -c|python setup\.py|cc |-lgcc_s "
)


def where(page: Path) -> str:
    """A page's name in test reports."""
    return str(page.relative_to(ROOT))


def of_language(*languages: str) -> list[pytest.ParameterSet]:
    """All blocks in one of these languages."""
    return [
        pytest.param(block, id=f"{where(page)}:{block.line}")
        for page in PAGES
        for block in blocks(page)
        if block.language in languages
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with the files that the examples name."""
    for name, text in EXAMPLES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    """For child processes: this tamis, and the modules of the examples."""
    return environment_with(PACKAGE_FOLDER, str(folder))


def test_all_blocks_are_of_a_language_that_is_tested():
    assert {block.language for page in PAGES for block in blocks(page)} <= {"python", "sh", "c"} | PLAIN


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(b.language == "python" for b in blocks(page))], ids=where
)
def test_python_of_the_page_runs_and_gives_what_is_written_beside_it(page, folder):
    if 'backend="shared"' in page.read_text(encoding="utf-8") and sys.platform != "linux":
        pytest.skip("the shared backend is for Linux")
    command = [sys.executable, "-W", "error", str(ROOT / "tests" / "helpers" / "docs_tools.py"), str(page)]
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=120)
    if done.returncode == 77 and not os.environ.get("TAMIS_REQUIRE_PEERS"):
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stderr + done.stdout


def commands(block: Block) -> list[str]:
    """The command lines of a block, without comments; lines that end in a backslash go on."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [line for text in lines if (line := re.sub(r"(^|\s+)# .*", "", text).strip())]


def make_targets() -> set[str]:
    """What the Makefile can make."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("block", of_language("sh"))
def test_commands_exist_and_those_of_tamis_run(block, folder):
    for command in commands(block):
        words = shlex.split(command)
        if words[0] == "make":
            targets = [word for word in words[1:] if "=" not in word and not word.startswith("-") and "/" not in word]
            if "-C" not in words:
                assert set(targets) <= make_targets(), command
        elif words[:3] == ["python", "-m", "tamis"]:
            done = subprocess.run(
                [sys.executable, *words[1:]],
                cwd=folder,
                env=environment(folder),
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, f"{command}\n{done.stderr}"
        else:
            assert NOT_RUN.match(command), f"nobody runs this, and nobody says why: {command}"


@pytest.mark.parametrize("block", [param for param in of_language("c") if "PyInit_peeking" in param.values[0].text])
def test_module_in_c_compiles_without_warnings_and_works(block, tmp_path):
    require_compiler("c")
    (tmp_path / "peeking.c").write_text(block.text)
    library = tmp_path / ("peeking" + sysconfig.get_config_var("EXT_SUFFIX"))
    python = [f"-isystem{sysconfig.get_path(name)}" for name in ("include", "platinclude")]
    flags = ["-std=c11", "-Wall", "-Werror", "-shared", "-fPIC", *python, f"-I{tamis.get_include()}"]
    run(["cc", *flags, "-o", str(library), str(tmp_path / "peeking.c")], tmp_path)
    code = (
        "import peeking; f = peeking.cached(str); assert peeking.peek(f, 7) is None; f(7)\n"
        "assert peeking.peek(f, 7) == '7'; assert f.cache_info().maxsize == 1000"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment(tmp_path), check=True, timeout=60)


@pytest.mark.parametrize(
    "block", [param for param in of_language("c") if "PyImport_AppendInittab" in param.values[0].text]
)
def test_lines_of_an_embedding_program_compile(block, tmp_path):
    require_compiler("c")
    head, _, body = block.text.partition("\n\nPyImport")
    (tmp_path / "lines.c").write_text(
        f"{head}\nvoid start(PyConfig config, PyObject *archive);\n"
        f"void start(PyConfig config, PyObject *archive) {{\nPyImport{body}\n}}\n"
    )
    python = [f"-isystem{sysconfig.get_path(name)}" for name in ("include", "platinclude")]
    run(["cc", "-std=c11", "-fsyntax-only", "-Werror", *python, f"-I{tamis.get_include()}", "lines.c"], tmp_path)


def test_every_block_in_c_is_compiled_by_one_of_these_tests():
    texts = [param.values[0].text for param in of_language("c")]
    assert all("PyInit_peeking" in text or "PyImport_AppendInittab" in text for text in texts)


def test_reference_is_what_the_docstrings_say():
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "reference.py")],
        env=environment(ROOT),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def test_every_make_target_is_told_of():
    text = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert described - {"help"} <= set(re.findall(r"`make ([a-z-]+)", text))


def test_every_public_name_is_in_the_reference():
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8").replace("`", "")
    assert all(f"## {name}" in text for name in tamis.__all__)


def test_python_blocks_have_no_syntax_of_later_versions():
    for page in PAGES:
        for block in blocks(page):
            if block.language == "python":
                ast.parse(block.text, where(page), feature_version=(3, 10))
