"""Runs a command under valgrind and judges what it finds: `python tests/helpers/memcheck.py COMMAND…`.

Exit status 1 if it finds errors. Every invalid access is one, whoever does it. CPython itself uses memory that nobody
wrote here and there (3.11 in `int.from_bytes`), and leaves memory behind when it ends (interned strings, from 3.12 on).
So of these only that counts which code of ours uses or allocates: where the way down the stack meets a function of ours
before one of CPython's that runs other code.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

# The extension module, the test's, and the example of embedding, by the names of their files.
OURS = re.compile(r"(_core\.|use_tamis_|embed$)")
# What they leave behind is not their caller's.
CPYTHONS = re.compile(
    r"_PyEval_EvalFrame|PyImport_|PyUnicode_InternFromString|PyDict_SetItemString|PyDescr_New|Py_Initialize|Py_InitializeFromConfig|Py_NewInterpreter"
)


def described(frame: ElementTree.Element) -> str:
    """One line about a frame."""
    return f"{frame.findtext('fn', '?')} ({frame.findtext('file') or frame.findtext('obj', '?')})"


def is_ours(stack: ElementTree.Element) -> bool:
    """Whether it was code of ours that got there."""
    for frame in stack.iterfind("frame"):
        if CPYTHONS.search(frame.findtext("fn", "")):
            return False
        if OURS.match(os.path.basename(frame.findtext("obj", ""))):
            return True
    return False


def counts(error: ElementTree.Element) -> bool:
    """Whether it is to be reported."""
    kind = error.findtext("kind", "")
    # Of memory that nobody wrote, the second stack is that of its allocation.
    return not kind.startswith(("Leak_", "Uninit")) or any(map(is_ours, error.iterfind("stack")))


def report(error: ElementTree.Element) -> str:
    """Name an error and where it is."""
    what = error.findtext("what") or error.findtext("xwhat/text", "?")
    lines = [f"{error.findtext('kind')}: {what}"]
    for stack in error.iterfind("stack"):
        lines += [*(f"    {described(frame)}" for frame in stack.iterfind("frame")), ""]
    return "\n".join(lines)


def run(command: Sequence[str], seconds: float) -> tuple[int, str, list[str]]:
    """Run it: the exit status, what it printed, and the errors that valgrind found."""
    with tempfile.TemporaryDirectory() as folder:
        valgrind = [
            "valgrind",
            "--tool=memcheck",
            "--leak-check=full",
            "--show-leak-kinds=definite",
            "--num-callers=60",
        ]
        valgrind += ["--track-origins=yes"]
        output = os.path.join(folder, "%p.xml")
        child = subprocess.run(
            [
                *valgrind,
                "--trace-children=yes",
                "--child-silent-after-fork=yes",
                "--xml=yes",
                f"--xml-file={output}",
                *command,
            ],
            # Python's own allocator hands memory out that valgrind takes for whole.
            env={**os.environ, "PYTHONMALLOC": "malloc"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            text=True,
            check=False,
        )
        trees = [ElementTree.parse(file) for file in os.scandir(folder)]
    errors = [report(error) for tree in trees for error in tree.iterfind("error") if counts(error)]
    return child.returncode, child.stdout, errors


def main(command: Sequence[str]) -> int:
    """Run the command and print what is wrong."""
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    if shutil.which("valgrind") is None:
        print("memcheck.py: the command 'valgrind' was not found", file=sys.stderr)
        return 2
    status, output, errors = run(command, 1800)
    print(output, end="")
    print("\n".join(errors), end="")
    print(f"valgrind: {len(errors)} errors, exit status {status}")
    return 1 if errors or status else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
