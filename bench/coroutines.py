"""What awaiting a cached coroutine function takes: `python bench/coroutines.py`.

Beside the function without a cache and, where it is installed, beside async-lru. All run inside one task, in turns, and
of many passes the least counts. Concurrent misses run as tasks of their own, a thousand on one key.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import sys
import time
from collections.abc import Awaitable, Callable
from types import FunctionType
from typing import Any

import subject

ROUNDS = 30
KEYS = 256
TASKS = 1000

Function = Callable[[Any], Awaitable[Any]]
Measured = dict[str, float]


async def trivial(x: Any) -> Any:
    return x


async def waiting(x: Any) -> Any:
    await asyncio.sleep(0)
    return x


async def calls(function: Function, keys: list[Any], repeats: int) -> None:
    for _ in range(repeats):
        for key in keys:
            await function(key)


def _fresh() -> Any:
    """A copy of the loop, with bytecode that only one subject warms."""
    assert isinstance(calls, FunctionType)
    return FunctionType(calls.__code__.replace(), calls.__globals__)


async def in_turns(functions: dict[str, Function], keys: list[Any], repeats: int, rounds: int) -> Measured:
    """The least nanoseconds an await of each."""
    loops = {name: _fresh() for name in functions}
    least: Measured = {}
    for turn in range(-1, rounds):
        for name, function in functions.items():
            await loops[name](function, keys, 1)
            start = time.perf_counter_ns()
            await loops[name](function, keys, repeats)
            taken = (time.perf_counter_ns() - start) / (repeats * len(keys))
            if turn >= 0:
                least[name] = min(least.get(name, taken), taken)
    return least


async def together(makers: dict[str, Callable[[Any], Function]], rounds: int) -> Measured:
    """The least nanoseconds a task, where a thousand tasks ask for one key."""
    least: Measured = {}
    for turn in range(-1, rounds):
        for name, make in makers.items():
            function = make(waiting)
            start = time.perf_counter_ns()
            await asyncio.gather(*(function(1) for _ in range(TASKS)))
            taken = (time.perf_counter_ns() - start) / TASKS
            if turn >= 0:
                least[name] = min(least.get(name, taken), taken)
    return least


def uncached(function: Function) -> Function:
    """The function as it is."""
    return function


async def measure(module: Any, peer: Any, rounds: int) -> list[list[Any]]:
    """The table's rows: name, nanoseconds, what is compared, ratio, what is asked of it."""
    keys = list(range(KEYS))
    makers: dict[str, Callable[[Any], Function]] = {"uncached": uncached, "tamis": module.lru_cache(maxsize=4 * KEYS)}
    timed = {**makers, "tamis, ttl of a minute": module.lru_cache(maxsize=4 * KEYS, ttl=60)}
    small: dict[str, Callable[[Any], Function]] = {"uncached": uncached, "tamis": module.lru_cache(maxsize=KEYS // 8)}
    if peer is not None:
        makers["async-lru"] = timed["async-lru"] = peer.alru_cache(maxsize=4 * KEYS)
        small["async-lru"] = peer.alru_cache(maxsize=KEYS // 8)
    rows: list[list[Any]] = []

    hits = await in_turns({name: make(trivial) for name, make in timed.items()}, keys, 10, rounds)
    for name, taken in hits.items():
        asked = 0.75 if name == "tamis" else None
        rows.append([f"hit, {name}", taken, "times uncached", taken / hits["uncached"], asked])
    if peer is not None:
        rows.append(["hit", hits["tamis"], "async-lru, times tamis", hits["async-lru"] / hits["tamis"], -12.0])

    misses = await in_turns({name: make(trivial) for name, make in small.items()}, keys, 2, rounds)
    over = {name: taken - misses["uncached"] for name, taken in misses.items() if name != "uncached"}
    rows += [[f"miss, over the function, {name}", taken, "", None, None] for name, taken in over.items()]
    if peer is not None:
        rows.append(["miss", over["tamis"], "async-lru, times tamis", over["async-lru"] / over["tamis"], -3.0])

    tasks = await together(makers, rounds)
    rows += [[f"{TASKS} tasks, one key, {name}", taken, "", None, None] for name, taken in tasks.items()]
    if peer is not None:
        rows.append(
            [f"{TASKS} tasks", tasks["tamis"], "async-lru, times tamis", tasks["async-lru"] / tasks["tamis"], -2.0]
        )
    return rows


def is_met(ratio: float | None, asked: float | None) -> str:
    """Whether a ratio is what is asked: at most so much, or at least where that is given below zero."""
    if ratio is None or asked is None:
        return ""
    return "yes" if (ratio >= -asked if asked < 0 else ratio <= asked) else "NO"


def main() -> None:
    """Prints the table; exit status 2 where nothing worth printing can be measured."""
    parser = subject.parser("Times awaits of cached coroutine functions beside uncached ones and async-lru.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"passes of each case (default: {ROUNDS})")
    options, module = subject.begin(parser)
    try:
        peer = importlib.import_module("async_lru")
    except ImportError:
        print("async-lru is not installed: its rows are left out", file=sys.stderr)
        peer = None
    gc.collect()
    gc.disable()
    measured = asyncio.run(measure(module, peer, options.rounds))
    rows = [
        [
            name,
            subject.number(taken),
            what,
            subject.number(ratio, 2),
            subject.number(asked and abs(asked), 2),
            is_met(ratio, asked),
        ]
        for name, taken, what, ratio, asked in measured
    ]
    described = {**subject.environment(module), "rounds": str(options.rounds)}
    print(
        subject.header(described),
        subject.table(["ns per await", "least", "compared", "ratio", "asked", "met"], rows),
        sep="\n\n",
    )
    subject.write_json(
        options.json, described, [{"name": row[0], "least": row[1], "ratio": row[3]} for row in measured]
    )


if __name__ == "__main__":
    main()
