"""SieveCache beside dict and other mappings that evict: `python bench/mapping.py`.

All subjects run in one process, in turns; the least of many passes counts. Peers that are not installed are left out,
with a word on stderr; `make bench-mapping` installs them.
"""

from __future__ import annotations

import gc
import importlib
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import repeat
from typing import Any

import loops
import subject

ROUNDS = 60
KEYS = 256
SIZE = 1000
# How long one pass is, in operations.
PASS = 20_000


def reads(mapping: Any, keys: list[Any], repeats: int) -> None:
    for _ in repeat(None, repeats):
        for key in keys:
            mapping.get(key)


def subscripts(mapping: Any, keys: list[Any], repeats: int) -> None:
    for _ in repeat(None, repeats):
        for key in keys:
            mapping[key]


def questions(mapping: Any, keys: list[Any], repeats: int) -> None:
    for _ in repeat(None, repeats):
        for key in keys:
            key in mapping  # noqa: B015


def sets(mapping: Any, keys: list[Any], repeats: int) -> None:
    for _ in repeat(None, repeats):
        for key in keys:
            mapping[key] = key


def subjects(module: Any) -> dict[str, Callable[[], Any]]:
    """Name and maker of each, ours first."""
    made: dict[str, Callable[[], Any]] = {module.__name__: partial(module.SieveCache, SIZE), "dict": dict}
    for package, name, of in (
        ("cachetools", "cachetools", "LRUCache"),
        ("lru", "lru-dict", "LRU"),
        ("cachebox", "cachebox", "LRUCache"),
    ):
        try:
            peer = getattr(importlib.import_module(package), of)
        except ImportError as error:
            print(f"left out: {name} ({error})", file=sys.stderr)
        else:
            made[name] = partial(peer, SIZE)
    return made


# Name, loop, kind of keys, whether keys are new each time, and what is asked: beside whom, and at most so many times.
CASES: list[tuple[str, loops.LoopFunction, str, bool, list[tuple[str, float]]]] = [
    ("get, hit", reads, "int", False, [("dict", 1.2)]),
    ("get, hit", reads, "str", False, [("dict", 1.2)]),
    ("get, hit", reads, "tuple", False, [("dict", 1.2)]),
    ("[], hit", subscripts, "int", False, []),
    ("[], hit", subscripts, "str", False, []),
    ("in, hit", questions, "int", False, []),
    ("set, there", sets, "int", False, []),
    ("set, evicts", sets, "int", True, [("cachetools", 1 / 3), ("lru-dict", 1), ("cachebox", 1)]),
    ("set, evicts", sets, "str", True, [("cachetools", 1 / 3), ("lru-dict", 1), ("cachebox", 1)]),
    ("set, evicts", sets, "tuple", True, [("cachetools", 1 / 3), ("lru-dict", 1), ("cachebox", 1)]),
]


def keys_of(kind: str) -> Iterator[Any]:
    """Keys without end."""
    number = 1000
    while True:
        number += 1
        yield {"int": number, "str": f"key {number}", "tuple": (number, "key")}[kind]


def passes(
    loop: loops.LoopFunction, kind: str, new: bool, makers: dict[str, Callable[[], Any]], rounds: int
) -> dict[str, float]:
    """The least nanoseconds an operation of each subject."""
    source = keys_of(kind)
    keys = [next(source) for _ in range(KEYS)]
    kept = {name: make() for name, make in makers.items() if not (new and name == "dict")}
    own = {name: loops.fresh(loop) for name in kept}
    for mapping in kept.values():
        sets(mapping, keys, 1)
    least: dict[str, float] = {}
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds + 1):
            if new:
                keys = [next(source) for _ in range(PASS)]
                [hash(key) for key in keys]
            repeats = 1 if new else PASS // KEYS
            names = list(kept)
            shift = turn % len(names)
            for name in names[shift:] + names[:shift]:
                mapping, go = kept[name], own[name]
                start = time.perf_counter_ns()
                go(mapping, keys, repeats)
                taken = (time.perf_counter_ns() - start) / (repeats * len(keys))
                if turn:
                    least[name] = min(taken, least.get(name, taken))
    finally:
        gc.enable()
    return least


def main() -> None:
    """Prints the table; exit status 2 where nothing worth printing can be measured."""
    parser = subject.parser("Times SieveCache beside dict and other mappings that evict.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"passes of each case (default: {ROUNDS})")
    options, module = subject.begin(parser)
    makers = subjects(module)
    rows, as_rows = [], []
    for name, loop, kind, new, asked in CASES:
        title = f"{name}, {kind}"
        if options.only.lower() not in title.lower():
            continue
        least = passes(loop, kind, new, makers, options.rounds)
        ours = least[module.__name__]
        verdicts = {other: ours / least[other] <= most for other, most in asked if other in least}
        met = "" if not verdicts else "yes" if all(verdicts.values()) else "NO"
        named = " ".join(f"{other} {ours / least[other]:.2f}/{most:.2f}" for other, most in asked if other in least)
        rows.append([title, *(subject.number(least.get(column)) for column in makers), named, met])
        as_rows.append({"name": title, "least": least, "asked": dict(asked), "met": verdicts})
    described = {**subject.environment(module), "rounds": str(options.rounds)}
    titles = ["ns an operation, loop included", *makers, "ours over others / asked", "met"]
    print(subject.header(described), subject.table(titles, rows), sep="\n\n")
    subject.write_json(options.json, described, as_rows)


if __name__ == "__main__":
    main()
