"""Caches that processes share: `python bench/shared.py`, beside warp_cache's shared backend if that is installed.

Hits, misses and opening are timed in one process, the subjects in turns; the least of many passes counts. The rates
are of processes that run at the same time for a while, the best of several runs; calls a second of processor time, so
that other programs on the machine count for nothing. (A reader never sleeps: what it waits for would show.)
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import loops
import subject

ROUNDS = 30
REPEATS = 20
KEYS = 100
MAXSIZE = 1024
SECONDS = 1.0
RUNS = 3
FIELDS = 10

Decorate = Callable[[Callable[[Any], Any]], Any]
_names = count()


class Subjects:
    """What is measured: a decorator for each, which gives each function a cache of its own."""

    def __init__(self, module: Any, path: str) -> None:
        self.module, self.path = module, path
        try:
            self.peer: Any = importlib.import_module("warp_cache")
        except ImportError:
            self.peer = None

    def memory(self, function: Callable[[Any], Any]) -> Any:
        return self.module.lru_cache(maxsize=MAXSIZE)(function)

    def shared(self, function: Callable[[Any], Any], **options: Any) -> Any:
        name = f"bench {next(_names)}"
        return self.module.lru_cache(
            **{"maxsize": MAXSIZE, "backend": "shared", "path": self.path, "name": name, **options}
        )(function)

    def other(self, function: Callable[[Any], Any]) -> Any:
        # Its regions go by module and name alone.
        function.__qualname__ = f"bench_{os.getpid()}_{next(_names)}"
        return self.peer.cache(max_size=MAXSIZE, backend="shared")(function)

    def all(self) -> dict[str, Decorate]:
        """In the order of the columns."""
        made: dict[str, Decorate] = {"memory": self.memory, "shared": self.shared}
        return {**made, "warp_cache": self.other} if self.peer else made


def record(key: Any) -> dict[str, Any]:
    """A dict of ten items."""
    return {f"field {at}": at * 1000 if at % 2 else f"value {at} of {key}" for at in range(FIELDS)}


# Name, keys, function, and what is asked: times faster than warp_cache, or as said.
HITS: list[tuple[str, list[Any], Callable[[Any], Any], float | None]] = [
    ("hit, int key and value", list(range(1000, 1000 + KEYS)), lambda x: x + 1, 3.0),
    ("hit, str key and value", [f"key {x}" for x in range(KEYS)], lambda x: f"value of {x}", 3.0),
    ("hit, bytes of 500 to 750", [bytes([x]) * (500 + 5 * x // 2) for x in range(KEYS)], lambda x: x + x[:9], 3.0),
    ("hit, dict of 10 items", list(range(KEYS)), record, None),
]


def timed(runs: list[Callable[[], float]], rounds: int) -> list[float]:
    """The least figure of each, taken in turns."""
    gc.collect()
    gc.disable()
    try:
        taken = [[run() for run in runs] for _ in range(rounds)]
    finally:
        gc.enable()
    return [min(figures) for figures in zip(*taken, strict=True)]


def a_pass(cached: Any, keys: list[Any], repeats: int) -> Callable[[], float]:
    """One pass over the keys: nanoseconds a call."""
    loop = loops.fresh(loops.POSITIONAL.call)
    loop(cached, keys, 2)

    def run() -> float:
        start = time.perf_counter_ns()
        loop(cached, keys, repeats)
        return (time.perf_counter_ns() - start) / (repeats * len(keys))

    return run


def hits(subjects: Subjects, rounds: int) -> Iterator[tuple[str, dict[str, float], float | None]]:
    """Rows of hits, each with the nanoseconds of all subjects."""
    for name, keys, function, asked in HITS:
        runs = {who: a_pass(decorate(fresh(function)), keys, REPEATS) for who, decorate in subjects.all().items()}
        if function is record:
            content = [pickle.dumps(record(key), 5) for key in keys]
            runs["pickle.loads"] = a_pass(pickle.loads, content, REPEATS)
        yield name, dict(zip(runs, timed(list(runs.values()), rounds), strict=True)), asked


def fresh(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of its own: caches put attributes on functions."""
    return lambda x: function(x)


def misses(subjects: Subjects, rounds: int) -> dict[str, float]:
    """Nanoseconds of a miss whose result is stored and evicts another."""
    keys = count(1 << 20)
    runs: list[Callable[[], float]] = []
    for decorate in subjects.all().values():
        cached = decorate(lambda x: x)
        runs.append(partial(a_scan, cached, keys))
        for _ in range(3):
            runs[-1]()
    return dict(zip(subjects.all(), timed(runs, rounds), strict=True))


def a_scan(cached: Any, keys: Iterator[int]) -> float:
    new = [next(keys) for _ in range(2000)]
    start = time.perf_counter_ns()
    for key in new:
        cached(key)
    return (time.perf_counter_ns() - start) / len(new)


# ---- processes ------------------------------------------------------------------------------------------------------


def reader(cached: Any, keys: list[Any], start: Any, results: Any) -> None:
    """Calls for a while, and sends calls a second of processor time."""
    loop = loops.fresh(loops.POSITIONAL.call)
    loop(cached, keys, 10)
    start.wait()
    calls, end, begun = 0, time.perf_counter() + SECONDS, time.process_time()
    while time.perf_counter() < end:
        loop(cached, keys, 100)
        calls += 100 * len(keys)
    results.put(calls / (time.process_time() - begun))


def writer(cached: Any, start: Any, _results: Any) -> None:
    """Misses and stores until it is ended, under keys that nobody reads."""
    start.wait()
    for key in count(1 << 40):
        cached(key)


def rate(cached: Any, readers: int, writers: int) -> float:
    """Calls a second of so many readers together, beside so many writers; the best of several runs."""
    context = multiprocessing.get_context("fork")
    keys = list(range(1000, 1000 + KEYS))
    best = 0.0
    for _ in range(RUNS):
        start, results = context.Barrier(readers + writers), context.SimpleQueue()
        processes = [context.Process(target=reader, args=(cached, keys, start, results)) for _ in range(readers)]
        processes += [context.Process(target=writer, args=(cached, start, results)) for _ in range(writers)]
        for process in processes:
            process.start()
        total = sum(results.get() for _ in range(readers))
        for process in processes[readers:]:
            process.terminate()
        for process in processes:
            process.join()
        best = max(best, total)
    return best


def together(subjects: Subjects) -> Iterator[tuple[str, dict[str, float], float | None]]:
    """Rows of rates, as parts of that of one reader who is alone."""
    alone: dict[str, float] = {}
    for name, readers, writers, asked in (
        ("one process reading, million calls a second", 1, 0, None),
        ("two processes reading, times one", 2, 0, 1.9),
        ("one reading while one writes, times one", 1, 1, 0.8),
    ):
        row = {}
        for who, decorate in list(subjects.all().items())[1:]:
            row[who] = rate(decorate(lambda x: (x, x)), readers, writers)
            alone.setdefault(who, row[who])
            row[who] /= 1e6 if asked is None else alone[who]
        yield name, row, asked


# ---- opening and memory ---------------------------------------------------------------------------------------------

OPENING = """
import sys, time
from {module} import lru_cache
lru_cache(len)  # imports what the first cache of a process needs
start = time.perf_counter_ns()
lru_cache(maxsize={maxsize}, backend="shared", path={path!r}, name="open", max_bytes=64 << 20)(len)
print(time.perf_counter_ns() - start)
"""


def opening(subjects: Subjects) -> float:
    """Milliseconds to decorate a function whose region of 64 MiB is there, each in a process of its own."""
    code = OPENING.format(module=subjects.module.__name__, maxsize=MAXSIZE, path=subjects.path)
    taken = [int(subprocess.check_output([sys.executable, "-c", code])) for _ in range(11)]
    return min(taken[1:]) / 1e6


def per_entry(subjects: Subjects) -> dict[str, float]:
    """Bytes of the region that an entry of an int under an int takes, when the region is full."""
    size = 8 << 20
    cached = subjects.shared(lambda x: x, maxsize=None, max_bytes=size)
    at = 0
    while cached.cache_stats()["evictions"] == 0:
        for _ in range(10_000):
            cached(at := at + 1)
    row = {"shared": size / cached.cache_info().currsize}
    if subjects.peer:
        before = shm_bytes()
        subjects.other(lambda x: x)(1)
        row["warp_cache"] = (shm_bytes() - before) / MAXSIZE
    return row


def shm_bytes() -> int:
    return sum(path.stat().st_size for path in Path("/dev/shm").rglob("*") if path.is_file())


@contextmanager
def directory() -> Iterator[str]:
    """A directory in /dev/shm of the bench's own, and nothing of the peer's left behind."""
    before = {path for path in Path("/dev/shm").rglob("*") if path.is_file()}
    made = tempfile.mkdtemp(dir="/dev/shm", prefix="tamis-bench-")
    try:
        yield made
    finally:
        shutil.rmtree(made)
        for path in Path("/dev/shm").rglob(f"*bench_{os.getpid()}_*"):
            if path not in before and path.is_file():
                path.unlink()


def main() -> None:
    """Prints the table; exit status 2 where nothing worth printing can be measured."""
    parser = subject.parser("Times caches that processes share.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"passes of each case (default: {ROUNDS})")
    options, module = subject.begin(parser)
    rows: list[tuple[str, dict[str, float], float | None, bool | None]] = []
    with directory() as path:
        subjects = Subjects(module, path)
        for name, row, asked in hits(subjects, options.rounds):
            if asked is None:
                # Asked: below pickle.loads of the same value alone.
                rows.append((name, row, None, row["shared"] < row["pickle.loads"]))
                continue
            rows.append((name, row, asked, times(row, asked)))
            if "int" in name:
                rows.append(("the same: at most 2 times in memory", row, None, row["shared"] <= 2 * row["memory"]))
        row = misses(subjects, options.rounds)
        rows.append(("miss and store, int", row, 2.0, times(row, 2.0)))
        for name, row, asked in together(subjects):
            rows.append((name, row, asked, None if asked is None else row["shared"] >= asked))
        took = opening(subjects)
        rows.append(("opening a region of 64 MiB, ms (below 1)", {"shared": took}, None, took < 1))
        rows.append(("bytes an entry, int", per_entry(subjects), None, None))
        peer = getattr(subjects.peer, "__version__", "0.7.0") if subjects.peer else "not installed"
    described = {**subject.environment(module), "warp_cache": peer, "rounds": str(options.rounds)}
    columns = ["memory", "shared", "warp_cache", "pickle.loads"]
    titles = ["ns per call, loop included", *columns, "asked", "met"]
    cells = [
        [
            name,
            *(subject.number(row.get(column), 2 if "times one" in name else 1) for column in columns),
            subject.number(asked),
            "" if met is None else "yes" if met else "NO",
        ]
        for name, row, asked, met in rows
    ]
    print(subject.header(described), subject.table(titles, cells), sep="\n\n")
    as_rows = [{"name": name, **row, "asked": asked, "met": met} for name, row, asked, met in rows]
    subject.write_json(options.json, described, as_rows)


def times(row: dict[str, float], asked: float) -> bool | None:
    """Whether the shared cache is so many times faster than the peer, if that is there."""
    return row["warp_cache"] >= asked * row["shared"] if "warp_cache" in row else None


if __name__ == "__main__":
    main()
