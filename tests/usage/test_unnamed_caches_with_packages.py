"""Shared caches without a name over what packages make of functions, and over their objects."""

from __future__ import annotations

import pytest

from helpers.marks import for_shared_caches
from helpers.package_tools import package
from helpers.region_cases import over
from helpers.subprocess_tools import printed_with_seeds, run_child
from tamis._identity.region_name import region_name

pytestmark = for_shared_caches

HEAD = "from helpers.region_cases import *\nimport functools\n"
# For each package: a preamble, and callables that differ.
CASES = {
    "numpy": (
        "import numpy as np",
        """
        over(np.arange(3))
        over(np.arange(4))
        over(np.arange(3.0))
        over(np.arange(6).reshape(2, 3))
        over(np.arange(6).reshape(3, 2))
        over(np.float64(1))
        over(np.int64(1))
        over(np.bool_(True))
        over(np.dtype("i4"))
        over(np.datetime64("2020-01-01"))
        over(np.array([{"a", "b", "c"}, 1], dtype=object))
        over(np.sin)
        over(np.cos)
        over(np.sum)
        np.sin
        np.vectorize(over(1))
        np.vectorize(over(2))
        functools.partial(np.sum, axis=0)
        functools.partial(np.sum, axis=1)
        """,
    ),
    "wrapt": (
        "import wrapt\n"
        "def tag(value):\n"
        "    @wrapt.decorator\n"
        "    def decorate(wrapped, instance, args, kwargs):\n"
        "        return value, wrapped(*args, **kwargs)\n"
        "    return decorate\n",
        """
        tag(1)(over(1))
        tag(1)(over(2))
        tag(2)(over(1))
        tag(1)(tag(2)(over(1)))
        """,
    ),
    "attr": (
        "import attrs\n"
        "@attrs.define\n"
        "class Point:\n"
        "    x: object = 0\n"
        "@attrs.frozen\n"
        "class Frozen:\n"
        "    x: object = 0\n"
        "def local(value):\n"
        "    @attrs.define\n"
        "    class Local:\n"
        "        x: object = value\n"
        "    return Local\n",
        """
        over(Point(1))
        over(Point(True))
        over(Point({"a", "b"}))
        over(Frozen(1))
        over(Frozen(frozenset("ab")))
        over(local(1)(1))
        over(local(2)(1))
        """,
    ),
    "pydantic": (
        "import pydantic\nclass Model(pydantic.BaseModel):\n    x: int\n    names: set[str] = set()\n",
        """
        over(Model(x=1))
        over(Model(x=2))
        over(Model(x=1, names={"a", "b", "c"}))
        over(Model)
        """,
    ),
    "decorator": (
        "import decorator\n"
        "def tag(value):\n"
        "    return decorator.decorator(lambda f, *args, **kwargs: (value, f(*args, **kwargs)))\n",
        """
        tag(1)(over(1))
        tag(1)(over(2))
        tag(2)(over(1))
        """,
    ),
    "asgiref": (
        "import asgiref.sync",
        """
        asgiref.sync.sync_to_async(over(1))
        asgiref.sync.sync_to_async(over(2))
        """,
    ),
    "beartype": (
        "import beartype\n"
        "def make(value):\n"
        "    @beartype.beartype\n"
        "    def f(x: int):\n"
        "        return x, value\n"
        "    return f\n",
        """
        make(1)
        make(2)
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_callables_of_packages_have_one_name_in_all_processes_and_differ(name, tmp_path):
    package(name)
    preamble, text = CASES[name]
    cases = [line.strip() for line in text.strip().splitlines()]
    lines = [f"CASES.append(lambda: {case})" for case in cases]
    (tmp_path / "package_cases.py").write_text(HEAD + preamble + "\nCASES = []\n" + "\n".join(lines) + "\n")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import package_cases; from tamis._identity.region_name import region_name\n"
        "for make in package_cases.CASES: print(region_name(make()))\n"
    )
    names = printed_with_seeds(code, str(tmp_path))
    assert names[0] == names[1] == names[2]
    assert len(set(names[0])) == len(cases)


CLOUDPICKLED = """
import sys, os, functools, subprocess
import cloudpickle
from tamis import lru_cache

RATE = 2

def timed(f):
    @functools.wraps(f)
    def wrapper(*args):
        return f(*args)
    return wrapper

def helper(x):
    return x * RATE

def make(number):
    @lru_cache(backend="shared", path=sys.argv[1])
    @timed
    def f(x):
        print("computed", x)
        return helper(x) + number
    return f

f = make(1)
f(1)
sys.stdout.flush()
code = "import sys, cloudpickle; f = cloudpickle.load(sys.stdin.buffer); print(f(1), f(2))"
content = cloudpickle.dumps(f)
subprocess.run([sys.executable, "-c", code, sys.argv[1]], input=content, check=True)
f(2)
"""


def test_cache_that_cloudpickle_takes_along_is_the_same_one(tmp_path):
    package("cloudpickle")
    regions = tmp_path / "regions"
    regions.mkdir(mode=0o700)
    script = tmp_path / "script.py"
    script.write_text(CLOUDPICKLED)
    code = "import runpy, sys; runpy.run_path(sys.argv[2], run_name='__main__')"
    printed = run_child(code, arguments=[str(regions), str(script)])
    assert printed.splitlines() == ["computed 1", "computed 2", "3 5"]
    assert sum(file.is_file() for file in regions.iterdir()) == 1


def test_ipython_s_cells_have_to_be_named():
    shell = package("IPython.core.interactiveshell").InteractiveShell.instance()
    shell.run_cell("from tamis import lru_cache\ndef helper(x):\n    return x\n")
    for cell in (
        "@lru_cache(backend='shared')\ndef f(x):\n    return helper(x)\n",
        "f = lru_cache(backend='shared')(lambda x: x)",
    ):
        error = shell.run_cell(cell).error_in_exec
        assert isinstance(error, TypeError)
        assert "by name=" in str(error)


def test_object_that_keeps_its_own_hash_has_one_name():
    class Key:
        def __init__(self, text):
            self.text = text
            self.kept = hash(self)

        def __hash__(self):
            return hash(("key", self.text))

    key, other = Key("a"), Key("a")
    other.kept = 1 << 40
    assert region_name(over(key)) != region_name(over(other))
    del key.kept
    assert region_name(over(key)) == region_name(over(Key("a")))
