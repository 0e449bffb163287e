"""Functions of sessions, notebooks and strings have no place that tells them apart: their shared caches need a name."""

from __future__ import annotations

import pytest

from helpers.marks import for_shared_caches
from helpers.program_tools import HEAD, Program

pytestmark = for_shared_caches


@pytest.fixture
def program(tmp_path):
    return Program(tmp_path)


TYPED = HEAD + "@shared()\ndef f(x):\n    return x\n\n"
REFUSAL = "has to be given a name here, by name=...: the function 'f' was defined in an interactive session, a notebook"


def refused(done):
    return done.returncode != 0 and REFUSAL in done.stderr


def test_code_of_the_command_line_and_of_standard_input_has_to_be_named(program):
    assert refused(program.start("-c", TYPED))
    assert refused(program.start("-", text=TYPED))
    assert refused(program.start(text=TYPED))
    assert program.count() == 0
    for arguments in (["-c", TYPED.replace("shared()", "shared(name='f')") + "print(f(1))"],):
        assert program.run(*arguments) == "1\n"


def test_function_of_an_interactive_session_has_to_be_named(program):
    done = program.start("-i", "-q", text=TYPED + "print('went on')\n")
    assert REFUSAL in done.stderr
    program.write(script="x = 1\n")
    done = program.start("-i", "-q", "script.py", text="@shared()\ndef f(x):\n    return x\n\n")
    assert REFUSAL in done.stderr
    assert program.count() == 0


SESSION = """
import sys
main = sys.modules["__main__"].__dict__
del main["__file__"]
main["__spec__"] = None

def cell(source, file):
    exec(compile(source, file, "exec"), main)

if sys.argv[1] == "there":
    os.makedirs("/tmp/ipykernel_1")
file = sys.argv[2]
if sys.argv[1] == "there":
    open(file, "w").close()
cell("rate = 2\\ndef helper(x):\\n    return x * rate\\nclass Kept:\\n    pass\\n", file)
for source in SOURCES:
    try:
        cell(source, file)
    except TypeError as error:
        print("by name=" in str(error) and "notebook" in str(error))
    else:
        print("shared", source)
cell("f = shared(name='f')(helper)", file)
print(main["f"](10))
"""
SOURCES = """
SOURCES = [
    "@shared()\\ndef f(x):\\n    return x\\n",
    "@shared()\\ndef f(x):\\n    return helper(x)\\n",
    "f = shared()(lambda x: x)\\n",
    "f = shared()(functools.partial(helper, 1))\\n",
    "f = shared()(functools.partial(print, Kept()))\\n",
    "f = shared()(Kept)\\n",
    "f = shared()(functools.partial(print, {1: [helper]}))\\n",
]
"""


@pytest.mark.parametrize("file", ["<ipython-input-1-0123>", "/tmp/ipykernel_4711/1234.py", "<stdin>", "/tmp/cell.py"])
def test_function_of_a_notebook_has_to_be_named(program, file):
    program.write(notebook=SOURCES + SESSION)
    assert program.run("notebook.py", "absent", file) == "True\n" * 7 + "20\n"
    assert program.count() == 1


def test_function_of_a_notebook_whose_cells_are_written_to_files_has_to_be_named(program, tmp_path):
    folder = tmp_path / "ipykernel_4711"
    folder.mkdir()
    (folder / "1.py").write_text("")
    program.write(notebook=SOURCES + SESSION)
    assert program.run("notebook.py", "absent", str(folder / "1.py")) == "True\n" * 7 + "20\n"


def test_function_of_a_string_has_to_be_named(program):
    program.write(
        script="""
            for file in ("<string>", "<source>", "nowhere.py"):
                for scope in ({}, {"__name__": "program"}, {"__name__": "__main__"}, globals()):
                    exec(compile("def f(x): return x", file, "exec"), scope)
                    try:
                        shared()(scope["f"])
                    except TypeError as error:
                        print("by name=" in str(error))
            """
    )
    assert program.run("script.py").split() == ["True"] * 12


def test_built_in_callable_has_its_name_everywhere(program):
    source = HEAD + "import operator\nprint(shared()(operator.itemgetter(1))('ab'), shared()(len)('ab'))\n"
    assert program.run("-c", source) == "b 2\n"
    assert program.run("-", text=source) == "b 2\n"
    assert program.count() == 2
