"""Several threads in one cache: `python bench/threads.py`, on a free-threaded interpreter.

Calls a second of all threads together, for 1, 2, 4 and 8 threads: of functools.lru_cache, of tamis, and of an empty
call on the same kind of object. All subjects run in one process, in turns, and the best of several passes counts.
Threads that have more company than processors share these.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import floor
import subject
from scenarios import Asked

MAXSIZE = 1024
KEYS = list(range(200))
THREADS = (1, 2, 4, 8)
CALLS = 300_000  # of each thread in one pass
ROUNDS = 7

Call = Callable[[Any], Any]
# Calls a cache so many times; the number of the thread is for keys of its own.
Loop = Callable[[Call, int, int], None]

_fresh_keys = itertools.count(10**6, 10**7)


def _hits(f: Call, calls: int, _thread: int) -> None:
    # The same keys in a list of each thread's own: iterating over one list is another thing for threads to fight over.
    keys = list(KEYS)
    for _ in range(calls // len(keys)):
        for key in keys:
            f(key)


def _one_key(f: Call, calls: int, _thread: int) -> None:
    for _ in range(calls):
        f(7)


def _one_in_ten_misses(f: Call, calls: int, thread: int) -> None:
    for key in range(thread, thread + calls // 10):
        f(key)
        f(1)
        f(2)
        f(3)
        f(4)
        f(5)
        f(6)
        f(7)
        f(8)
        f(9)


def _misses(f: Call, calls: int, thread: int) -> None:
    for key in range(thread, thread + calls):
        f(key)


OBJECTS = [object() for _ in KEYS]


@dataclass(frozen=True)
class Scenario:
    """A function to cache, and how threads call it. The figures asked are for one and for two threads."""

    name: str
    function: Call
    loop: Loop
    calls: int = CALLS
    floor: bool = True
    one: Asked = field(default_factory=Asked)  # of one thread
    gain: float | None = None  # two threads / one thread, at least
    two: float | None = None  # tamis / lru_cache, two threads, at least


def _number(key: Any) -> Any:
    return key % 7


def _object(key: Any) -> Any:
    return OBJECTS[key]


def _nothing(_key: Any) -> None:
    return None


SCENARIOS = [
    Scenario("hits, 200 keys", _number, _hits, one=Asked(ratio=3.5, floors=1.3), gain=1.9, two=7),
    Scenario("hits, one key", _number, _one_key, gain=1.9),
    Scenario("hits, values are the main thread's objects", _object, _hits, two=3),
    Scenario("one call in ten misses and evicts", _nothing, _one_in_ten_misses, floor=False, gain=1.5),
    Scenario("every call misses and evicts", _nothing, _misses, CALLS // 3, floor=False, two=1),
]


def one_pass(scenario: Scenario, cached: Call, threads: int) -> float:
    """Calls a second of all threads together."""
    start = threading.Barrier(threads)
    spans: list[tuple[float, float]] = []

    def run() -> None:
        # Bytecode of its own: threads that share it would fight over what the interpreter notes there.
        function = scenario.loop
        assert isinstance(function, FunctionType)
        loop = FunctionType(function.__code__.replace(), function.__globals__)
        loop(cached, scenario.calls // 20, next(_fresh_keys))
        keys = next(_fresh_keys)
        start.wait()
        begin = time.perf_counter()
        loop(cached, scenario.calls, keys)
        spans.append((begin, time.perf_counter()))

    running = [threading.Thread(target=run) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return threads * scenario.calls / (max(end for _, end in spans) - min(begin for begin, _ in spans))


def measured(scenario: Scenario, factories: dict[str, Any], rounds: int) -> dict[str, dict[int, float]]:
    """Subject to number of threads to the best rate of all rounds."""
    names = [name for name in factories if scenario.floor or name != "floor"]
    best: dict[str, dict[int, float]] = {name: dict.fromkeys(THREADS, 0.0) for name in names}
    for turn in range(rounds):
        for name in names if turn % 2 else reversed(names):
            # Made by the main thread and called by others, as caches are.
            cached = factories[name](maxsize=MAXSIZE)(scenario.function)
            if scenario.floor:
                for key in KEYS:
                    cached(key)
            for threads in THREADS:
                best[name][threads] = max(best[name][threads], one_pass(scenario, cached, threads))
    return best


def verdicts(scenario: Scenario, best: dict[str, dict[int, float]]) -> Iterator[tuple[str, float, float]]:
    """What is asked: its name, what came out and what it should be; more is better."""
    ours, theirs = best["ours"], best["lru_cache"]
    if scenario.one.ratio is not None:
        yield "one thread, times lru_cache", ours[1] / theirs[1], scenario.one.ratio
    if scenario.one.floors is not None:
        yield "one thread, part of an empty call's rate", ours[1] / best["floor"][1], 1 / scenario.one.floors
    if scenario.gain is not None:
        yield "two threads, times one thread", ours[2] / ours[1], scenario.gain
    if scenario.two is not None:
        yield "two threads, times lru_cache", ours[2] / theirs[2], scenario.two


def main() -> None:
    """Prints the tables; exit status 2 where nothing worth printing can be measured."""
    parser = subject.parser("Calls one cache from several threads.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"passes of each subject (default: {ROUNDS})")
    options = parser.parse_args()
    try:
        module = subject.load(options.module)
        factories = subject.factories(module, floor.load())
    except (subject.Refused, floor.Missing) as reason:
        print(reason, file=sys.stderr)
        sys.exit(2)
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        print("warning: this interpreter has the GIL: threads take turns, whatever the cache", file=sys.stderr)
    subject.warn_if_plain()
    results: dict[str, dict[str, dict[int, float]]] = {}
    rows, asked = [], []
    for scenario in SCENARIOS:
        if options.only.lower() not in scenario.name.lower():
            continue
        print(scenario.name, file=sys.stderr, flush=True)
        best = results[scenario.name] = measured(scenario, factories, options.rounds)
        for name, rates in best.items():
            cells = [f"{rate / 1e6:.1f}" for rate in rates.values()]
            shown = module.__name__ if name == "ours" else name
            rows.append([scenario.name, shown, *cells, f"{1e9 / rates[1]:.1f}"])
        for what, got, least in verdicts(scenario, best):
            asked.append([scenario.name, what, f"{got:.2f}", f"{least:.2f}", "yes" if got >= least else "NO"])
    described = {
        **subject.environment(module),
        "processors": str(os.cpu_count()),
        "cache": f"maxsize {MAXSIZE}, made by the main thread, called by workers",
        "rounds": str(options.rounds),
    }
    titles = ["million calls a second", "subject", *(f"{threads} threads" for threads in THREADS), "ns, 1 thread"]
    print(subject.header(described), subject.table(titles, rows), sep="\n\n")
    print("\n" + subject.table(["", "", "got", "asked", "met"], asked))
    as_rows = [{"scenario": name, "calls_per_second": best} for name, best in results.items()]
    subject.write_json(options.json, described, as_rows)


if __name__ == "__main__":
    main()
