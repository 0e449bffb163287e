"""Instructions per call, counted by callgrind: `python bench/instructions.py`.

Each subject runs in one child under valgrind, with the addresses and the hash seed held fixed. A stretch of calls is
counted, then one of twice the length; the difference is the calls alone, without what surrounds them. The same machine,
interpreter and build give the same figure again, so a change of one instruction shows.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import floor
import scenarios
import subject

SUBJECTS = ["loop", "floor", "lru_cache", "ours"]
CHILD = Path(__file__).with_name("counted.py")
DUMP_NAME = re.compile(r"^desc: Trigger: Client Request: (\d+:[12])$", re.MULTILINE)
DUMP_TOTAL = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


class Failed(Exception):
    """The child under valgrind did not do its work; the message is one line."""


def fixed_addresses() -> list[str]:
    """The start of a command that switches address randomization off; empty where the system has no such thing."""
    command = ["setarch", platform.machine(), "-R"]
    if not shutil.which("setarch"):
        return []
    allowed = subprocess.run([*command, "true"], capture_output=True).returncode == 0
    return command if allowed else []  # containers may forbid it


def environment() -> dict[str, str]:
    """The child's environment: little, and always the same.

    Every variable takes memory at the start of a process and moves what comes after, and with that changes the course
    of hash tables whose keys are hashed by address. (The subject's name is padded for the same reason.)
    """
    kept = ["PATH", "HOME", "LD_LIBRARY_PATH", "PYTHONPATH"]
    fixed = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**{name: os.environ[name] for name in kept if name in os.environ}, **fixed}


def dumps_in(folder: Path) -> dict[str, int]:
    """The instructions of each named dump."""
    totals = {}
    for path in folder.glob("counts.*"):
        text = path.read_text(errors="replace")
        name, total = DUMP_NAME.search(text), DUMP_TOTAL.search(text)
        if name and total:
            totals[name[1]] = int(total[1])
    return totals


def counted(name: str, module: str, only: str) -> dict[int, float]:
    """Instructions a call of one subject, by the number of the scenario. Raises Failed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *fixed_addresses(), "valgrind", "--tool=callgrind", "--instr-atstart=no", "--quiet",
            f"--callgrind-out-file={folder}/counts", sys.executable, str(CHILD), name.ljust(9), module, only,
        ]  # fmt: skip
        done = subprocess.run(command, env=environment(), capture_output=True, text=True)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise Failed(f"{name} under valgrind: exit status {done.returncode}: {lines[-1]}")
        totals = dumps_in(Path(folder))
    figures = {}
    for line in done.stdout.splitlines():
        number, calls = map(int, line.split())
        if not totals.keys() >= {f"{number}:1", f"{number}:2"}:
            raise Failed(f"{name} under valgrind: dumps of scenario {number} are missing")
        figures[number] = (totals[f"{number}:2"] - totals[f"{number}:1"]) / calls
    return figures


def check_tools(module: str) -> Any:
    """The module under test, once all that is needed was found. Raises floor.Missing or subject.Refused."""
    if not shutil.which("valgrind"):
        raise floor.Missing("valgrind is not on the PATH: install it")
    loaded = floor.load()
    if not loaded.HAS_CALLGRIND:
        floor.build(again=True)  # the header may have come since
        # In another process, for this one has the old build loaded.
        check = [sys.executable, "-c", "import floor; print(floor.load().HAS_CALLGRIND)"]
        if subprocess.run(check, cwd=CHILD.parent, capture_output=True, text=True).stdout.strip() != "1":
            raise floor.Missing("valgrind/callgrind.h not found: install valgrind's headers")
    return subject.load(module)


def show(rows: list[dict[str, Any]], name: str) -> str:
    """The table."""
    titles = ["instructions per call, loop included", *SUBJECTS, "ours-loop", "lru/ours"]
    lines = []
    for row in rows:
        figures = [subject.number(row.get(column), 2) for column in SUBJECTS]
        over = subject.number(row["ours"] - row["loop"], 2)
        lines.append([row["name"], *figures, over, subject.number(row["lru_cache"] / row["ours"], 2)])
    return subject.table([title.replace("ours", name) for title in titles], lines)


def main() -> None:
    """Prints the table; exit status 2 where a tool is missing, 1 where a child failed."""
    options = subject.parser("Counts the instructions of an lru_cache beside that of functools.").parse_args()
    chosen = scenarios.selected(options.only)
    try:
        if not any(scenario.counted for scenario in chosen):
            raise subject.Refused(f"no counted row's name contains {options.only!r}")
        module = check_tools(options.module)
    except (subject.Refused, floor.Missing) as reason:
        print(reason, file=sys.stderr)
        sys.exit(2)
    subject.warn_if_plain()
    figures = {}
    for name in SUBJECTS:
        print(options.module if name == "ours" else name, file=sys.stderr, flush=True)
        try:
            figures[name] = counted(name, options.module, options.only)
        except Failed as reason:
            print(reason, file=sys.stderr)
            sys.exit(1)
    rows = [
        {"name": scenario.name, **{name: figures[name].get(number) for name in SUBJECTS}}
        for number, scenario in enumerate(chosen)
        if scenario.counted
    ]
    addresses = "fixed" if fixed_addresses() else "random, so the figures may vary a little"
    described = {**subject.environment(module), "addresses": addresses}
    print(subject.header(described), show(rows, options.module), sep="\n\n")
    subject.write_json(options.json, described, rows)


if __name__ == "__main__":
    main()
