"""Shared caches without a name: what a function reads of its module counts as the source has it."""

from __future__ import annotations

import pytest

from helpers.marks import for_shared_caches
from helpers.program_tools import Program

pytestmark = for_shared_caches


@pytest.fixture
def program(tmp_path):
    return Program(tmp_path)


READING = """
import math
from fractions import Fraction

RATE = 2
TABLE = {"a": [1, 2], "b": {3, 4}}
TABLE["c"] = 5

def above(x):
    return x * RATE

class Scale:
    factor = 1

    def of(self, x):
        return x * self.factor

@shared(maxsize=10)
def f(x):
    return note((above(x), below(x), TABLE["c"], Scale().of(x), twice(x), TABLE.get("d")))

def below(x):
    return deep(x)

def deep(x, by=10):
    return x * by

def decorate(g):
    return lambda x: g(x) + 0

@decorate
def twice(x):
    return x * 2

TABLE.update(d=0)

def unrelated(x):
    return x

UNRELATED = 1

if __name__ == "__main__":
    f(1)
"""


CHANGES = [
    ("RATE = 2", "RATE = 3"),
    ("RATE = 2", "RATE = True"),
    ("return x * RATE", "return x + RATE"),
    ('"b": {3, 4}', '"b": {3, 5}'),
    ('TABLE["c"] = 5', 'TABLE["c"] = 6'),
    ("factor = 1", "factor = 2"),
    ("return x * self.factor", "return x + self.factor"),
    ("return deep(x)", "return deep(x) + 1"),
    ("by=10", "by=11"),
    ("return x * by", "return x + by"),
    ("g(x) + 0", "g(x) + 1"),
    ("return x * 2", "return x * 3"),
    ("@decorate\n", ""),
    ("update(d=0)", "update(d=1)"),
    ('TABLE.get("d")', 'TABLE.get("e")'),
]
NO_CHANGES = [
    ("RATE = 2", "RATE = 2  # per unit"),
    ("def unrelated(x):\n    return x", "def unrelated(x):\n    return x + 1"),
    ("UNRELATED = 1", "UNRELATED = 2\nMORE = {'a': 1}"),
    ("import math", "import math\nimport json"),
    ("    f(1)", "    print(end='')\n    f(1)"),
    ("maxsize=10", "maxsize=10, ttl=60"),
    ("def below", "\n\n# Below.\ndef below"),
]


@pytest.mark.parametrize(("before", "after"), CHANGES + NO_CHANGES)
def test_change_of_what_a_function_uses_of_its_module_makes_a_new_region(program, before, after):
    assert READING.count(before) == 1
    program.write(script=READING)
    assert program.run("script.py").startswith("computed")
    program.write(script=READING.replace(before, after))
    output = program.run("script.py", seed="1")
    assert output.startswith("computed") == ((before, after) in CHANGES)
    assert program.run("script.py", seed="2") == ""


IMPORTING = """
from .rates import convert, Table
from . import sizes
from .deep.inner import *
import package.whole as whole

@shared()
def f(x):
    from .late import late
    return note((convert(x), sizes.width(x), inner(x), whole.all_of(x), late(x), Table.first))
"""
IMPORTED = {
    "package__rates": """
        from .base import rate

        def convert(x):
            return x * rate()

        class Table:
            first = 1
        """,
    "package__base": "def rate():\n    return 2\n\ndef other():\n    return 3\n",
    "package__sizes": "def width(x):\n    return x + WIDTH\n\nWIDTH = 4\nHEIGHT = 5\n",
    "package__whole": "def all_of(x):\n    return x * 6\n\ndef none_of(x):\n    return x\n",
    "package__late": "def late(x):\n    return x * 7\n\ndef later(x):\n    return x\n",
}


@pytest.mark.parametrize(
    ("module", "before", "after", "counts"),
    [
        ("package__rates", "x * rate()", "x + rate()", True),
        ("package__rates", "first = 1", "first = 2", True),
        ("package__base", "return 2", "return 3", True),
        ("package__base", "return 3", "return 4", False),
        ("package__sizes", "WIDTH = 4", "WIDTH = 5", True),
        ("package__sizes", "HEIGHT = 5", "HEIGHT = 6", False),
        ("package__whole", "x * 6", "x * 7", True),
        ("package__whole", "return x\n", "return x + 1\n", False),
        ("package__late", "x * 7", "x * 8", True),
        ("package__late", "return x\n", "return x + 1\n", False),
        ("package__deep__inner", "x * 8", "x * 9", True),
        ("package__deep__inner", "return x\n", "return x + 1\n", False),
    ],
)
def test_change_in_another_module_of_the_program(program, module, before, after, counts):
    sources = {
        **IMPORTED,
        "package__main": IMPORTING,
        "package__deep__inner": "def inner(x):\n    return x * 8\n\ndef outer(x):\n    return x\n",
    }
    (program.folder / "package" / "deep").mkdir(parents=True)
    (program.folder / "package" / "__init__.py").write_text("")
    (program.folder / "package" / "deep" / "__init__.py").write_text("")
    program.write(**sources)
    code = "from package.main import f; f(1)"
    assert program.run("-c", code).startswith("computed")
    # Whatever was imported before.
    assert program.run("-c", "import package.late, package.whole; " + code, seed="1") == ""
    assert sources[module].count(before) == 1
    program.write(**{module: sources[module].replace(before, after)})
    assert program.run("-c", code).startswith("computed") == counts


REBINDING = """
rate = 2

def helper(x):
    return x

@shared()
def f(x):
    return note((x * rate, helper(x)))

f(10)
rate = 3

@shared()
def f(x):
    return note((x * rate, helper(x)))

f(10)

def helper(x):
    return -x

@shared()
def f(x):
    return note((x * rate, helper(x)))

f(10)
"""


def test_name_that_the_module_binds_anew_between_two_functions(program):
    program.write(script=REBINDING)
    first = ["computed (20, 10)", "computed (30, 10)", "computed (30, -10)"]
    assert [program.run("script.py", seed=seed).splitlines() for seed in ("0", "1")] == [first, []]


DECORATED = """
from {where} import timed
import {where}

@shared()
@timed
def f(x):
    return note({where}.scaled(x))

f(1)
"""
TIMED = """
def timed(f):
    @functools.wraps(f)
    def wrapper(*args):
        return f(*args)
    return wrapper

def scaled(x):
    return x * 2
"""


@pytest.mark.parametrize("folder", [".", "site-packages"])
def test_modules_beside_the_program_are_its_own_and_installed_packages_count_by_their_names(program, folder):
    program.write(script=f"sys.path.append({folder!r})\n" + DECORATED.format(where="timing"))
    (program.folder / folder).mkdir(exist_ok=True)
    file = program.folder / folder / "timing.py"
    file.write_text("import functools\n" + TIMED)
    assert program.run("script.py") == "computed 2\n"
    file.write_text("import functools\n" + TIMED.replace("x * 2", "x * 3"))
    assert program.run("script.py") == ("computed 3\n" if folder == "." else "")
    file.write_text("import functools\n" + TIMED.replace("return f(*args)", "return f(*args) or 0"))
    assert program.run("script.py").startswith("computed")


CHANGING = """
import time

STARTED = time.time_ns()
RANDOM = id(object())
_client = None
_count = 0
_kept = {}

def client():
    global _client, _made
    if _client is None:
        _client = _made = open(__file__)
    return _client

def count():
    global _count
    _count += 1
    _kept[_count] = STARTED
    return _count

def make(rate):
    @shared()
    def f(x):
        count(), client(), _made, _kept, STARTED, RANDOM
        return note(x * rate)
    return f

for _ in range(int(sys.argv[1])):
    count(), client()
make(2)(10)
if _client is not None:
    _client.close()
"""


def test_values_that_a_module_s_names_get_at_run_time_say_nothing(program):
    program.write(script=CHANGING)
    assert [program.run("script.py", turns, seed=turns) for turns in ("0", "1", "7")] == ["computed 20\n", "", ""]


def test_global_that_is_put_into_the_module_from_outside_counts_as_it_is(program):
    program.write(
        module="""
            @shared()
            def f(x):
                return note(x * rate)
            """,
        script="""
            import builtins, types
            source = open("module.py").read()
            for rate in (2, 3, 2):
                scope = {"rate": rate}
                exec(compile(source, os.path.abspath("module.py"), "exec"), scope)
                print(scope["f"](10))
            """,
    )
    assert program.run("script.py") == "computed 20\n20\ncomputed 30\n30\n20\n"
