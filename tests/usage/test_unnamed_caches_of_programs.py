"""Shared caches without a name in whole programs: scripts, modules, archives, spawned processes."""

from __future__ import annotations

import compileall
import zipfile

import pytest

from helpers.marks import for_shared_caches
from helpers.program_tools import HEAD, Program

pytestmark = for_shared_caches


@pytest.fixture
def program(tmp_path):
    return Program(tmp_path)


SETS = """
def over(names):
    @shared()
    def f(x, also={"p", "q", "r"}):
        return note((x in names, x in also, x in {"u", "v", "w"}))
    return f

over({"a", "b", "c"})("a")
over(frozenset(["a", "b", "c"]))("p")
over({"k": [{"a", "b", ("c", frozenset("de"))}]})("u")
"""


def test_sets_in_closures_defaults_and_constants_make_no_new_region(program):
    program.write(script=SETS)
    outputs = [program.run("script.py", seed=seed) for seed in ("0", "1", "2", "random")]
    first = ["computed (True, False, False)", "computed (False, True, False)", "computed (False, False, True)"]
    assert [output.splitlines() for output in outputs] == [first, [], [], []]
    assert program.count() == 3


CLASSES = """
class Shape:
    kinds = {"a", "b", "c"}

    def __init__(self):
        self.one = self.two = self.three = self.four = self.five = 1

    def area(self, x):
        return x * self.one

@shared()
def f(x):
    class Inner:
        def __init__(self):
            self.some = self.names = self.that = self.are = self.sorted = 1
    return note(Shape().area(x) + Inner().some)

f(1)
"""


def test_classes_that_a_function_uses_make_no_new_region(program):
    program.write(script=CLASSES)
    assert [program.run("script.py", seed=seed) for seed in ("0", "1", "2", "3")] == ["computed 2\n", "", "", ""]


SPAWNING = """
import multiprocessing

def timed(f):
    @functools.wraps(f)
    def wrapper(*args):
        return f(*args)
    return wrapper

class Point:
    def __init__(self, x):
        self.x = x

def helper(x):
    return x * RATE

RATE = 2

@shared()
@timed
def f(x, origin=Point(3), kind=Point):
    return note(helper(x) + origin.x)

def make(rate, kind=Point):
    @shared()
    def f(x):
        return note(kind(x * rate).x)
    return f

def work(x):
    return f(x), make(5)(x)

if __name__ == "__main__":
    assert work(1) == (5, 5)
    for method in ("spawn", "forkserver", "fork"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.map(work, [1, 2]) == [(5, 5), (7, 10)]
    assert make(5)(2) == 10
"""


@pytest.mark.parametrize("command", [["script.py"], ["-m", "script"], ["-m", "package.script"]], ids=" ".join)
def test_spawned_processes_have_the_cache_of_the_program(program, command):
    program.write(script=SPAWNING, package__script=SPAWNING, package____init__="")
    (program.folder / "package" / "__init__.py").write_text("")
    assert program.run(*command, seed="random").splitlines() == [f"computed {n}" for n in (5, 5, 7, 10)]
    assert program.run(*command, seed="random") == ""
    assert program.count() == 2


def test_script_is_one_program_from_whatever_directory(program):
    program.write(script="@shared()\ndef f(x):\n    return note(x)\n\nf(1)\n")
    assert program.run("script.py") == "computed 1\n"
    assert program.run(str(program.folder / "script.py"), directory=program.regions) == ""
    assert program.run("../program/script.py", directory=program.regions) == ""


def test_two_programs_of_the_same_text_do_not_meet(program):
    source = "@shared()\ndef f(x):\n    return note(x)\n\nf(1)\n"
    program.write(first=source, second=source)
    assert [program.run(name) for name in ("first.py", "second.py", "first.py")] == ["computed 1\n", "computed 1\n", ""]
    assert program.count() == 2


MODULE = """
TABLE = {"a": 1}

def helper(x):
    return TABLE["a"] * x

@shared()
def f(x):
    return note(helper(x))
"""


def test_module_without_its_source(program):
    program.write(module=MODULE)
    assert compileall.compile_dir(program.folder, quiet=2, legacy=True)
    (program.folder / "module.py").unlink()
    code = "import module; module.f(1)"
    assert [program.run("-c", code, seed=seed) for seed in ("0", "1")] == ["computed 1\n", ""]
    (program.folder / "script.py").write_text(HEAD + MODULE + "\nf(1)\n")
    assert compileall.compile_file(program.folder / "script.py", quiet=2, legacy=True)
    (program.folder / "script.py").unlink()
    assert [program.run("script.pyc", seed=seed) for seed in ("0", "1")] == ["computed 1\n", ""]


def test_compiled_module_that_was_moved_is_of_its_new_place(program):
    program.write(module=MODULE)
    elsewhere = program.folder / "elsewhere"
    elsewhere.mkdir()
    command = ["-m", "compileall", "-q", "-b", "module.py"]
    program.run(*command)
    (program.folder / "module.py").unlink()
    (elsewhere / "module.pyc").write_bytes((program.folder / "module.pyc").read_bytes())
    code = "import sys; sys.path[0] = sys.argv[1]; import module; module.f(1)"
    here, there = str(program.folder), str(elsewhere)
    printed = [program.run("-c", code, where, directory=at) for where in (here, there) for at in (here, there)]
    assert printed == ["computed 1\n", "", "computed 1\n", ""]
    assert program.count() == 2


def test_module_in_an_archive(program):
    archive = program.folder / "program.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("module.py", HEAD + MODULE)
        file.writestr("__main__.py", HEAD + MODULE + "\nimport module\nf(1), module.f(1)\n")
    assert [program.run("program.zip", seed=seed) for seed in ("0", "1")] == ["computed 1\ncomputed 1\n", ""]
    code = "import sys; sys.path.insert(0, 'program.zip'); import module; module.f(1)"
    assert program.run("-c", code) == ""
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("module.py", HEAD + MODULE.replace('"a": 1', '"a": 2'))
    assert program.run("-c", code) == "computed 2\n"


def test_function_that_is_run_by_other_means(program):
    program.write(
        script="@shared()\ndef f(x):\n    return note(x)\n\nf(1)\n",
        runner="import runpy\nrunpy.run_path('script.py', run_name='__main__')\n",
    )
    assert program.run("script.py") == "computed 1\n"
    assert program.run("-m", "cProfile", "-o", "/dev/null", "script.py") == ""
    assert program.run("-m", "tamis", "run", "script.py") == ""
    program.run("runner.py")
