"""A module's code is taken apart into its statements, wherever they stand, on every version of Python."""

from __future__ import annotations

import ast
import dis
import os
import sys
from pathlib import Path

import pytest

from tamis._identity.source import Source
from tamis._identity.statements import _split, statements_of

LIBRARY = Path(os.__file__).parent
# What a module ends with, and what handlers of exceptions do, which stand behind that.
ENDS = {
    *("LOAD_CONST", "LOAD_COMMON_CONSTANT", "RETURN_VALUE", "RETURN_CONST", "COPY", "POP_EXCEPT", "RERAISE", "POP_TOP"),
    *("SWAP", "STORE_FAST", "NOP", "CACHE", "EXTENDED_ARG", "RESUME", "PUSH_EXC_INFO", "END_FOR", "POP_ITER"),
}
WHOLE = ast.Assign | ast.AugAssign | ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom | ast.For | ast.While


def compiled(source: str):
    return compile(source, "module.py", "exec", dont_inherit=True)


def lines_of(instructions: list[dis.Instruction], line: int | None):
    """The lines that instructions are of, without those that all statements have in common."""
    for each in instructions:
        positions = getattr(each, "positions", None)
        line = positions.lineno if positions else each.starts_line or line
        if each.opname not in ENDS:
            yield line


@pytest.mark.parametrize(
    "name",
    ["argparse", "ast", "dataclasses", "decimal", "enum", "functools", "inspect", "logging/__init__", "os", "typing"],
)
def test_statements_of_the_library_come_out_whole(name):
    source = (LIBRARY / f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    owners: dict[int, list[int]] = {}
    for number, node in enumerate(tree.body):
        first = min(each.lineno for each in (node, *getattr(node, "decorator_list", ())))
        for line in range(first, node.end_lineno + 1):
            owners.setdefault(line, []).append(number)
    met: dict[int, set[int]] = {}
    last = None
    count = 0
    for at, instructions in enumerate(_split(list(dis.get_instructions(compiled(source))))):
        count += 1
        lines = list(lines_of(instructions, last))
        last = lines[-1] if lines else last
        if any(each.opname in ("PUSH_EXC_INFO", "RERAISE") for each in instructions):
            continue
        for line in lines:
            if line in owners and len(owners[line]) == 1 and isinstance(tree.body[owners[line][0]], WHOLE):
                met.setdefault(owners[line][0], set()).add(at)
    split = {tree.body[number].lineno: parts for number, parts in met.items() if len(parts) > 1}
    # `import a, b` is two.
    assert not {line for line in split if not isinstance(next(n for n in tree.body if n.lineno == line), ast.Import)}, (
        split
    )
    assert count >= 0.8 * len(tree.body)


SOURCE = '''
import os, sys as system
from a.b import c as d, e
from . import f

ONE = 1
TWO: int = ONE + 1
a, b = ONE, TWO
x = y = 3
TABLE = {"a": [1, {2, 3}], "b": (4, (5,))}
TABLE["c"] = 6
TABLE.update(d=7)
COMPREHENDED = [each * 2 for each in range(3) if each]

def plain(x, y=ONE, *, z="z"):
    """What it does."""
    return [x, y, z, lambda: x]

@decorate(ONE)
class Kind(Base, key=TWO):
    attribute = {1, 2}

    def method(self):
        self.p = self.q = self.r = 1
        return self.attribute if self.p else None

if ONE:
    under = 1
else:
    under = 2

for each in (1, 2):
    looped = each

with open(os.devnull) as file:
    held = file

try:
    import fast as way
except ImportError:
    way = None

while ONE and not TWO:
    never = 1

end = 1
'''
ALL = [
    "ONE",
    "TWO",
    "a",
    "x",
    "TABLE",
    "COMPREHENDED",
    "plain",
    "Kind",
    "under",
    "looped",
    "held",
    "way",
    "never",
    "os",
    "system",
    "d",
    "e",
    "f",
]


def digests(source: Source, name: str) -> list[bytes]:
    return [each.digest() for each in source.by_name[name]]


def test_statement_is_the_same_wherever_it_stands():
    first = Source("m", "p", compiled(SOURCE))
    before = "".join(f"name_{number} = 'constant {number}'\n" for number in range(300))
    second = Source("m", "p", compiled(before + SOURCE + "\n\nlast = 1\n"))
    for name in ALL:
        assert digests(first, name) == digests(second, name), name


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ("ONE = 1", "ONE = True", {"ONE"}),
        ("(4, (5,))", "(4, (True,))", {"TABLE"}),
        ("{2, 3}", "{2, 4}", {"TABLE"}),
        ('TABLE["c"] = 6', 'TABLE["c"] = 7', {"TABLE"}),
        ("d=7", "d=8", {"TABLE"}),
        ("d=7", "e=7", {"TABLE"}),
        ("if each]", "if not each]", {"COMPREHENDED"}),
        ('z="z"', 'z="y"', {"plain"}),
        ("lambda: x", "lambda: y", {"plain"}),
        ("@decorate(ONE)", "@decorate(TWO)", {"Kind"}),
        ("key=TWO", "key=ONE", {"Kind"}),
        ("{1, 2}", "{1, 3}", {"Kind"}),
        ("if self.p else", "if self.q else", {"Kind"}),
        ("under = 2", "under = 3", {"under"}),
        ("if ONE:", "if TWO:", {"under"}),
        ("in (1, 2)", "in (1, 3)", {"looped", "each"}),
        ("way = None", "way = 0", {"way"}),
        ("fast as", "faster as", {"way"}),
        ("not TWO", "TWO", {"never"}),
        ("c as d", "cc as d", {"d", "e"}),
        ("a, b = ONE, TWO", "a, b = TWO, ONE", {"a", "b"}),
        ("x = y = 3", "x = y = 4", {"x", "y"}),
        ("held = file", "held = [file]", {"held", "file"}),
        ("\ndef plain", "\n\n# A comment.\n\ndef plain", set()),
        ("(4, (5,))", "(4,\n   (5,))", set()),
    ],
)
def test_change_is_one_of_the_names_that_the_statement_binds(before, after, names):
    assert SOURCE.count(before) == 1
    first, second = (Source("m", "p", compiled(text)) for text in (SOURCE, SOURCE.replace(before, after)))
    changed = {name for name in first.bound if digests(first, name) != digests(second, name)}
    assert changed == names


def test_imports_are_told():
    source = Source("m", "p", compiled(SOURCE + "from g.h import *\n"))
    told = [(each.level, each.module, each.names) for statement in source.statements for each in statement.imports]
    assert told == [
        *((0, "os", None), (0, "sys", None), (0, "a.b", ("c", "e")), (1, "", ("f",)), (0, "fast", None)),
        (0, "g.h", ("*",)),
    ]


def test_code_of_another_source_is_none_of_it():
    source = Source("m", "p", compiled(SOURCE))
    assert source.contains(next(each for each in source.code.co_consts if getattr(each, "co_name", "") == "plain"))
    other = compiled("\n" + SOURCE)
    assert not source.contains(next(each for each in other.co_consts if getattr(each, "co_name", "") == "plain"))


def test_names_that_functions_bind_are_known():
    source = Source("m", "p", compiled("def f():\n    global late\n    late = 1\n\ndef g():\n    late = early = 2\n"))
    assert source.binds("late")
    assert not source.binds("early")


def test_very_long_code_is_one_statement():
    lines = "".join(f"name_{number} = {{'key': {number}}}\n" for number in range(40_000))
    assert len(statements_of(compiled(lines))) == 1


def test_empty_module_has_no_names():
    assert Source("m", "", compiled("")).bound == set()
    assert sys.version_info >= (3, 10)
