"""`python -m tamis`: programs run as python itself runs them, the report of their caches, and what goes wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import py_compile
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import tamis
from helpers.marks import for_systems_with_fork
from helpers.subprocess_tools import PACKAGE_FOLDER


def python(*arguments: str, cwd: Path, options: tuple[str, ...] = (), **more: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": PACKAGE_FOLDER, "PYTHON_COLORS": "0"}
    command = [sys.executable, *options, *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False, **more
    )


def by_tamis(*arguments: str, cwd: Path, **more: Any) -> subprocess.CompletedProcess[str]:
    return python("-m", "tamis", *arguments, cwd=cwd, **more)


PROGRAMS = {
    "state": """
        import sys
        print(sorted(globals()), __name__, __file__, __spec__ and __spec__.name, __package__, __doc__)
        print(type(__loader__).__name__, __loader__.name, __loader__.path, __builtins__)
        print(sys.argv, sys.path)
        print(sys.modules["__main__"].__dict__ is globals(), sys.modules["__main__"])
    """,
    "flags": "import sys; print(type(lambda: 1).__name__, sys.flags); exec('print(1 if __debug__ else 2)')",
    "annotations": "x: undefined_name = 1" if sys.version_info >= (3, 14) else "x: int = 1; print(__annotations__)",
    "exit": "raise SystemExit(3)",
    "exit with a message": "import sys; sys.exit('a message')",
    "exit without a status": "raise SystemExit",
    "error": "def f():\n    1 / 0\n\nf()\n",
    "error with a cause": """
        def f():
            raise KeyError(1) from ValueError(2)
        try:
            f()
        except KeyError:
            [][1]
    """,
    "syntax error": "x = 1\nif x\n",
    "error in an import": "import json\njson.loads('{')\n",
    "no main": "import __main__\nprint(__main__.answer)\n",
    "own hook": "import sys\nsys.excepthook = lambda *what: print('hook', what[0], what[2].tb_lineno)\n1 / 0\n",
    "hook that is not called": "import sys\nsys.excepthook = lambda *what: print(what)\nraise SystemExit(4)\n",
    "hook that exits": "import sys\nsys.excepthook = lambda *what: sys.exit(7)\n1 / 0\n",
    "interrupt": "raise KeyboardInterrupt",
    "interrupt by a signal": "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)\n",
    "killed": "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n",
    "exit function": "import atexit\natexit.register(print, 'at exit')\nprint('in')\n",
    "threads": "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()\n",
    "standard input": "print(input())",
    "last error": """
        import atexit, sys
        atexit.register(lambda: print(sys.last_type, sys.last_traceback.tb_lineno))
        1 / 0
    """,
    "pickle of main": "import pickle\nclass C: pass\nprint(type(pickle.loads(pickle.dumps(C()))) is C)\n",
    "coding": "# coding: latin-1\nprint(ascii('\xe9'))\n",
    "group": "raise ExceptionGroup('g', [ValueError(1)])" if sys.version_info >= (3, 11) else "raise ValueError",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "below").mkdir()
    return tmp_path


def write(path: Path, program: str) -> Path:
    import textwrap

    path.write_text(textwrap.dedent(program).lstrip("\n"), encoding="latin-1" if "latin-1" in program else "utf-8")
    return path


def normal(text: str) -> str:
    # Numbers of lines in the interpreter's own files, addresses, and the marks under a line.
    return re.sub(r"0x[0-9a-f]+", "0x", text)


def same(mine: subprocess.CompletedProcess[str], pythons: subprocess.CompletedProcess[str]) -> None:
    assert normal(mine.stdout) == normal(pythons.stdout)
    assert normal(mine.stderr) == normal(pythons.stderr)
    assert mine.returncode == pythons.returncode


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_script_runs_as_by_python_itself(folder, name):
    write(folder / "program.py", PROGRAMS[name])
    arguments = ("program.py", "-x", "--report", "a b")
    same(by_tamis("run", *arguments, cwd=folder, input="line\n"), python(*arguments, cwd=folder, input="line\n"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_module_runs_as_by_python_itself(folder, name):
    write(folder / "program.py", PROGRAMS[name])
    arguments = ("-m", "program", "-x", "--report")
    same(by_tamis("run", *arguments, cwd=folder, input="line\n"), python(*arguments, cwd=folder, input="line\n"))


@pytest.mark.parametrize("path", ["./program.py", "below/../program.py", "below/link.py", "below/inner.py", "absolute"])
def test_paths_of_scripts_are_told_as_by_python_itself(folder, path):
    for name in ("program.py", "below/inner.py"):
        write(folder / name, PROGRAMS["state"])
    (folder / "below/link.py").symlink_to("../program.py")
    path = str(folder / "program.py") if path == "absolute" else path
    same(by_tamis("run", path, cwd=folder), python(path, cwd=folder))


def test_packages_folders_archives_and_bytecode_run_as_by_python_itself(folder):
    (folder / "package").mkdir()
    write(folder / "package/__init__.py", "print('init', __name__)")
    write(folder / "package/__main__.py", PROGRAMS["state"] + "\n        1 / 0\n")
    write(folder / "package/part.py", PROGRAMS["state"])
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        archive.write(folder / "package/__main__.py", "__main__.py")
    py_compile.compile(str(folder / "package/part.py"), str(folder / "part.pyc"))
    for arguments in (
        ("-m", "package"),
        ("-m", "package.part"),
        ("package",),
        ("./package", "x"),
        ("archive.zip",),
        ("part.pyc",),
        ("below",),
        ("-m", "below"),
        ("-m", "no.such.module"),
        ("-m", "package.nothing"),
    ):
        same(by_tamis("run", *arguments, cwd=folder), python(*arguments, cwd=folder))


SAFE = [("-I",), ("-E",), ("-s",), *([("-P",)] if sys.version_info >= (3, 11) else [])]


@pytest.mark.parametrize("options", SAFE)
def test_options_of_the_interpreter_hold(folder, options):
    if options == ("-I",) and importlib.util.find_spec("tamis") and "site-packages" not in tamis.__file__:
        pytest.skip("tamis is not installed, and -I ignores PYTHONPATH")
    if options == ("-E",) and "site-packages" not in tamis.__file__:
        pytest.skip("tamis is not installed, and -E ignores PYTHONPATH")
    write(folder / "program.py", PROGRAMS["state"])
    same(by_tamis("run", "program.py", cwd=folder, options=options), python("program.py", cwd=folder, options=options))


def test_everything_the_program_imports_is_patched(folder):
    write(folder / "helper.py", "from functools import lru_cache\n@lru_cache\ndef f(x): return x\n")
    write(
        folder / "program.py",
        "import functools, helper, tamis\nprint(type(helper.f), functools.cache is tamis.cache)\n",
    )
    for arguments in (("program.py",), ("-m", "program"), ("--report", "program.py")):
        done = by_tamis("run", *arguments, cwd=folder)
        assert done.stdout == "<class 'tamis._core.lru_cache_wrapper'> True\n"


CACHES = """
    import functools, gc, tamis

    @functools.lru_cache(maxsize=10)
    def often(x):
        return x

    @tamis.cache
    def seldom(x): return x

    for number in range(100):
        often(number % 20)
    seldom(1); seldom(1)

    def short_lived():
        cached = functools.cache(lambda x: x)
        cached(1); cached(1); cached(2)

    short_lived(); short_lived()

    class Cycle:
        def __init__(self):
            self.method = functools.lru_cache(None)(self.plain)
        def plain(self, x): return x

    cycle = Cycle()
    cycle.method(1); cycle.method(1)
    del cycle
    gc.collect()
    print("done")
"""


def report_of(folder: Path, *arguments: str, **more: Any) -> dict[str, dict[str, Any]]:
    done = by_tamis("run", "--report=json", "--report-file", "report.json", *arguments, cwd=folder, **more)
    report = json.loads((folder / "report.json").read_text())
    assert report["tamis"] == tamis.__version__
    rows = [row for row in report["caches"] if row["name"].startswith("__main__")]
    calls = [row["calls"] for row in report["caches"]]
    assert calls == sorted(calls, reverse=True)
    assert done.stderr == ""
    return {row["name"].removeprefix("__main__."): row for row in rows}


def test_the_report_has_every_cache_with_its_counts_those_that_were_freed_too(folder):
    program = write(folder / "program.py", CACHES)
    rows = report_of(folder, "program.py")
    assert {name: (row["calls"], row["hits"], row["evictions"], row["entries"]) for name, row in rows.items()} == {
        "often": (100, 0, 90, 10),
        "seldom": (2, 1, 0, 1),
        "short_lived.<locals>.<lambda>": (6, 2, 0, 0),
        "Cycle.plain": (2, 1, 0, 0),
    }
    assert rows["short_lived.<locals>.<lambda>"]["caches"] == 2
    assert rows["short_lived.<locals>.<lambda>"]["hit_rate"] == pytest.approx(1 / 3)
    assert (rows["often"]["maxsize"], rows["seldom"]["maxsize"]) == (10, None)
    lines = program.read_text().splitlines()
    for name, text in (("often", "@functools.lru_cache(maxsize=10)"), ("seldom", "@tamis.cache")):
        assert rows[name]["file"] == str(program)
        assert lines[rows[name]["line"] - 1] == text


DECORATED = """\
import functools
def timed(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper
@functools.cache
@timed
def get(x): return x
class Thing:
    @functools.lru_cache
    @timed
    @timed
    def get(self, x): return x
async def later(x): return x
partly = functools.cache(functools.partial(later))
get(1), Thing().get(1)
"""


def test_functions_below_decorators_are_reported_where_they_are_written(folder):
    program = write(folder / "program.py", DECORATED)
    by_tamis("run", "--report=json", "--report-file=report.json", "program.py", cwd=folder)
    rows = {row["name"]: row for row in json.loads((folder / "report.json").read_text())["caches"]}
    lines = program.read_text().splitlines()
    for name, text in (("get", "@functools.cache"), ("Thing.get", "    @functools.lru_cache")):
        row = rows[f"__main__.{name}"]
        assert (row["file"], lines[row["line"] - 1]) == (str(program), text)
    (partly,) = (row for row in rows.values() if row["line"] == len(lines) - 1)
    assert partly["file"] == str(program)


@pytest.fixture
def without_rich(folder: Path) -> Path:
    """Hide rich from the programs of a folder."""
    write(folder / "rich.py", "raise ImportError('hidden')")
    return folder


def test_the_table_goes_to_stderr_the_most_calls_first(without_rich):
    write(without_rich / "program.py", CACHES)
    done = by_tamis("run", "--report", "program.py", cwd=without_rich)
    assert done.stdout == "done\n"
    lines = done.stderr.splitlines()
    assert re.fullmatch(r"tamis: \d+ caches, [\d,]+ calls, [\d.]+% of them hits", lines[0])
    assert lines[1].split() == ["where", "function", "calls", "hit", "rate", "evictions", "entries", "maxsize"]
    assert lines[3].split() == ["program.py:3", "__main__.often", "100", "0.0%", "90", "10", "10"]
    assert "unbounded" in done.stderr


def test_rich_lays_the_table_out_if_it_is_there(folder):
    if importlib.util.find_spec("rich") is None:
        pytest.skip("rich is not installed")
    write(folder / "program.py", CACHES)
    done = by_tamis("run", "--report", "program.py", cwd=folder)
    assert done.stdout == "done\n"
    assert "program.py:3" in done.stderr
    assert "│" in done.stderr


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("1 / 0", 1),
        ("raise SystemExit(5)", 5),
        ("import sys; sys.stderr.close()", 0),
        ("import os; os.chdir('/')", 0),
        ("import os; os._exit(6)", 6),
    ],
)
def test_the_report_comes_however_the_program_ends(folder, ending, status):
    write(folder / "program.py", f"import functools\nf = functools.cache(abs)\nf(1)\n{ending}\n")
    done = by_tamis("run", "--report=json", "--report-file=report.json", "program.py", cwd=folder)
    assert done.returncode == status
    assert json.loads((folder / "report.json").read_text())["caches"][0]["calls"] >= 1


@for_systems_with_fork
def test_children_of_a_fork_write_no_report_of_their_own(folder):
    program = "import os, sys\nprint('x', flush=True)\nif os.fork() == 0: sys.exit(0)\nos.wait()\n"
    write(folder / "program.py", program)
    done = by_tamis("run", "--report=json", "program.py", cwd=folder)
    assert done.stderr.count('"caches": [') == 1


def test_a_report_of_no_cache_says_so(without_rich):
    write(without_rich / "program.py", "pass")
    assert by_tamis("run", "--report", "program.py", cwd=without_rich).stderr == "tamis: 0 caches, 0 calls\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "a command is missing: there are run, shared, remote, info"),
        (("nonsense",), "unknown command 'nonsense'"),
        (("run",), "a script or -m MODULE is missing"),
        (("run", "-m"), "-m takes a module"),
        (("run", "--report"), "a script or -m MODULE is missing"),
        (("run", "--report=xml", "x.py"), "--report takes table or json, not 'xml'"),
        (("run", "--report-file"), "--report-file takes a file"),
        (("run", "--report-file", "no/such/folder/x", "x.py"), "can't write the report to 'no/such/folder/x'"),
        (("run", "--quick", "x.py"), "unknown option '--quick'"),
        (("run", "no such file.py"), "can't open file"),
        (("info", "more"), "info: unrecognized arguments: more"),
        (("info", "--js"), "info: unrecognized arguments: --js"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_status_2(folder, arguments, words):
    done = by_tamis(*arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("tamis: ")
    assert words in done.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("run", "-h"), ("info", "--help")])
def test_help_tells_usage_options_and_exit_status(folder, arguments):
    done = by_tamis(*arguments, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: python -m tamis ")
    for part in ("\noptions:\n", "\nexit status:\n", "--help"):
        assert part in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 95


def test_info_tells_version_interpreter_build_lock_mode_and_paths(folder):
    facts = json.loads(by_tamis("info", "--json", cwd=folder).stdout)
    assert facts["version"] == tamis.__version__
    assert facts["lock"] == tamis._core.BUILD["lock"]
    assert (facts["lock"] == "gil") == ("free-threaded" not in facts["interpreter build"])
    assert Path(facts["extension"]).exists()
    assert Path(facts["package"], "__init__.py").exists()
    assert ".".join(map(str, sys.version_info[:2])) in facts["interpreter"]
    text = by_tamis("info", cwd=folder).stdout
    assert [line.split("  ")[0] for line in text.splitlines()] == list(facts)
    assert by_tamis("--version", cwd=folder).stdout == f"tamis {tamis.__version__}\n"


def test_an_interrupt_ends_the_process_by_the_signal(folder):
    write(folder / "program.py", "raise KeyboardInterrupt")
    assert by_tamis("run", "program.py", cwd=folder).returncode == -signal.SIGINT
