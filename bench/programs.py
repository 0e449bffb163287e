"""Real programs with functools' caches and with tamis's: `python bench/programs.py`.

Each program runs in a process of its own, in turns: by python, and by `python -m tamis run`, which is the same but for
the caches. The processor time of the whole process counts, that of imports included; the least and the median of some
runs. One more run of each records the hit rates. `make bench-programs` installs the programs.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import subject

ROUNDS = 5

SYMPY_SESSION = """
from sympy import *
x, y, z, a, b = symbols("x y z a b")
n = symbols("n", integer=True)
for expression in (
    sin(x)**2 + cos(x)**2, (x**3 + x**2 - x - 1)/(x**2 + 2*x + 1), gamma(x)/gamma(x - 2), exp(x*log(x))/x**x,
    sqrt(x**2 + 2*x + 1)/(x + 1), (sin(x)/cos(x) - tan(x))*exp(y), besselj(1, x)*x - x*besselj(1, x),
    sum(sin(k*x)**2 + cos(k*x)**2 for k in range(8)), expand((x + y + z)**6)/(x + y + z)**5,
    trigsimp(sin(x)**4 - 2*cos(x)**2*sin(x)**2 + cos(x)**4), ((x + y)**5 - (x - y)**5)/(x*y),
):
    simplify(expression)
for integrand in (
    x**2*exp(x)*cos(x), 1/(x**4 + 1), sin(x)**3*cos(x)**2, log(x)**2, exp(-x**2)*erf(x), x/(x**3 - 1),
    sqrt(1 - x**2), atan(x), 1/(1 + exp(x)), x**3*sin(2*x), 1/(x*(x**2 + 4)),
):
    integrate(integrand, x)
integrate(exp(-a*x**2), (x, -oo, oo))
integrate(sin(x)/x, (x, 0, oo))
summation(1/n**2, (n, 1, oo))
Matrix(5, 5, lambda i, j: x**i + y**j + i*j).det()
limit((1 + 1/x)**x, x, oo), series(exp(sin(x)), x, 0, 8)
solve(x**4 - 3*x**2 + 1, x), dsolve(Function("f")(x).diff(x, 2) + Function("f")(x), Function("f")(x))
"""


def folder_of(package: str) -> str:
    """Where a package lies."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent)


def programs(folder: Path) -> dict[str, list[str]]:
    """Name and command line of each program that is installed, without the interpreter."""
    made = {}
    if importlib.util.find_spec("sympy"):
        (folder / "session.py").write_text(SYMPY_SESSION)
        made["sympy: simplify, integrate and more"] = ["session.py"]
        if importlib.util.find_spec("black"):
            source = folder_of("mpmath.libmp")
            made["black --check, mpmath.libmp"] = ["-m", "black", "-q", "--check", "--workers", "1", source]
        if importlib.util.find_spec("mypy"):
            options = ["--ignore-missing-imports", "--cache-dir", os.devnull, "--follow-imports", "silent"]
            options.append("--no-fast-exit")
            made["mypy, this package"] = ["-m", "mypy", *options, folder_of("tamis")]
    return made


# Records functools' own caches as `python -m tamis run --report=json` records ours.
RECORD = """
import atexit, functools, json, runpy, sys
made, plain = [], functools.lru_cache
def lru_cache(maxsize=128, typed=False):
    found = plain(maxsize, typed)
    if hasattr(found, "cache_info"):
        made.append(found)
        return found
    return lambda function: made.append(found(function)) or made[-1]
functools.lru_cache, functools.cache = lru_cache, lambda function: lru_cache(maxsize=None)(function)
path = sys.argv.pop(1)
def write():
    counts = [cache.cache_info() for cache in made]
    json.dump([sum(c.hits for c in counts), sum(c.misses for c in counts), len(made)], open(path, "w"))
atexit.register(write)
if sys.argv[1] == "-m":
    del sys.argv[:2]
    runpy._run_module_as_main(sys.argv[0])
else:
    del sys.argv[0]
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(command: list[str], folder: Path) -> float:
    """Seconds of the processor, of one process. Raises where it did not run."""
    before = os.times()
    environment = {**os.environ, "PYTHONHASHSEED": "0", "BLACK_CACHE_DIR": tempfile.mkdtemp(dir=folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    # Checkers end with 1 where they have something to say, on stdout.
    if done.returncode not in (0, 1) or done.stderr:
        raise RuntimeError(done.stderr[-2000:])
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def hit_rates(command: list[str], folder: Path) -> dict[str, tuple[int, int, int]]:
    """Hits, misses and caches of one run of each kind."""
    (folder / "record.py").write_text(RECORD)
    run([sys.executable, "record.py", "counts.json", *command], folder)
    run([sys.executable, "-m", "tamis", "run", "--report=json", "--report-file", "report.json", *command], folder)
    rows = json.loads((folder / "report.json").read_text())["caches"]
    hits, misses, caches = (sum(row[name] for row in rows) for name in ("hits", "misses", "caches"))
    theirs = json.loads((folder / "counts.json").read_text())
    return {"functools": tuple(theirs), "tamis": (hits, misses, caches)}


def main() -> None:
    """Prints the table."""
    parser = subject.parser("Times real programs with functools' caches and with tamis's.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"runs of each (default: {ROUNDS})")
    options = parser.parse_args()
    module = subject.load(options.module)
    rows: list[list[str]] = []
    as_rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name, command in programs(folder).items():
            if options.only.lower() not in name.lower():
                continue
            kinds = {"functools": [sys.executable, *command], "tamis": [sys.executable, "-m", "tamis", "run", *command]}
            taken: dict[str, list[float]] = {kind: [] for kind in kinds}
            for turn in range(options.rounds):
                for kind in list(kinds)[:: 1 if turn % 2 else -1]:
                    taken[kind].append(run(kinds[kind], folder))
            counts = hit_rates(command, folder)
            for kind, figures in taken.items():
                hits, misses, caches = counts[kind]
                least, middle = (subject.number(value, 2) for value in (min(figures), median(figures)))
                rate = f"{hits / (hits + misses):.2%}"
                rows.append([name, kind, least, middle, f"{hits + misses:,}", f"{misses:,}", rate, str(caches)])
            as_rows.append({"name": name, "seconds": taken, "counts": counts})
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("sympy", "black", "mypy")]
    described = {**subject.environment(module), "programs": ", ".join(versions), "rounds": str(options.rounds)}
    titles = ["program", "caches of", "least s", "median s", "calls", "misses", "hit rate", "caches"]
    print(subject.header(described), subject.table(titles, rows), sep="\n\n")
    subject.write_json(options.json, described, as_rows)


if __name__ == "__main__":
    main()
