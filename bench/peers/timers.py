"""How scenarios are run: functions from a peer to what is timed.

`Timed.run(loops)` makes `loops * calls` calls and returns the seconds that they took; what has to be made beforehand is
made outside of those. Where every call is to hit, run() counts the calls of the function behind the cache, and raises
`scenarios.NotHits` if the cache has lost what it had room for: its figure would be that of another scenario.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import coroutines
import footprint
import loops
import mapping
import scenarios
import shared
import threads as threading_bench
import workloads

from peers.adapters import Cannot, Peer

KEYS = 256
MAXSIZE = 1024


@dataclass
class Timed:
    """What pyperf times."""

    run: Callable[[int], float]
    calls: int


class Counted:
    """A function behind a cache, and how often the cache had to call it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.calls = 0

        def counting(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return function(*args, **kwargs)

        self.function = counting

    def check(self, stored: int) -> None:
        """Raise NotHits if the cache called it more often than for what it was filled with."""
        if self.calls > stored:
            raise scenarios.NotHits(f"{self.calls:,} misses, where {stored:,} keys were stored")


def _seconds(go: Callable[[], object]) -> float:
    start = time.perf_counter()
    go()
    return time.perf_counter() - start


# ---- calls, one thread ----------------------------------------------------------------------------------------------


def single(name: str, ttl: float | None, peer: Peer) -> Timed:
    """A scenario of ../scenarios.py."""
    (scenario,) = (scenario for scenario in scenarios.SCENARIOS if scenario.name == name)
    prepared = scenario.prepared()
    counted = Counted(scenario.function)
    # What counts calls is in the way of misses only, which hits are not, and where none are expected.
    function = counted.function if scenario.hits else scenario.function
    target = peer.decorate(function, scenario.options["maxsize"], ttl)
    made = scenarios.Run(scenario, target, scenario.loop.call, prepared)
    calls = 1000 if scenario.scan else len(prepared[1])

    def run(times: int) -> float:
        go, made_calls = made.ready(times * calls)
        assert made_calls == times * calls
        taken = _seconds(go)
        if scenario.hits:
            counted.check(len(set(prepared[0])))
        return taken

    return Timed(run, calls)


# ---- calls, several threads -----------------------------------------------------------------------------------------


def threads(name: str, number: int, peer: Peer) -> Timed:
    """A scenario of ../threads.py; the calls of all threads count."""
    (scenario,) = (scenario for scenario in threading_bench.SCENARIOS if scenario.name == name)
    cached = peer.decorate(scenario.function, threading_bench.MAXSIZE)
    for key in threading_bench.KEYS:
        cached(key)
    each = 10_000

    def run(times: int) -> float:
        rate = threading_bench.one_pass(replace(scenario, calls=each * times), cached, number)
        return number * each * times / rate

    return Timed(run, number * each)


# ---- awaits ---------------------------------------------------------------------------------------------------------

# One for all, since some caches are emptied when another comes.
_loop: asyncio.AbstractEventLoop | None = None


def _awaited(work: Any) -> Any:
    global _loop
    _loop = _loop or asyncio.new_event_loop()
    return _loop.run_until_complete(work)


async def _timed(function: Any, keys: list[Any], times: int) -> float:
    start = time.perf_counter()
    await coroutines.calls(function, keys, times)
    return time.perf_counter() - start


def await_hits(peer: Peer) -> Timed:
    """All in one task."""
    keys = list(range(KEYS))
    function = peer.decorate_async(coroutines.trivial, MAXSIZE)
    _awaited(coroutines.calls(function, keys, 1))
    return Timed(lambda times: float(_awaited(_timed(function, keys, times))), KEYS)


def await_misses(peer: Peer) -> Timed:
    """Keys come round when they have long been evicted."""
    keys = list(range(20 * KEYS))
    function = peer.decorate_async(coroutines.trivial, KEYS // 8)
    return Timed(lambda times: float(_awaited(_timed(function, keys, times))), len(keys))


def tasks_together(peer: Peer) -> Timed:
    """A thousand tasks ask for a key that nobody has; the function gives way once."""
    function = peer.decorate_async(coroutines.waiting, MAXSIZE)
    keys = count()

    async def together(times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            key = next(keys)
            await asyncio.gather(*(function(key) for _ in range(coroutines.TASKS)))
        return time.perf_counter() - start

    return Timed(lambda times: float(_awaited(together(times))), coroutines.TASKS)


# ---- processes ------------------------------------------------------------------------------------------------------

KINDS: dict[str, tuple[list[Any], Callable[[Any], Any]]] = {
    kind: (keys, function)
    for kind, (_, keys, function, _) in zip(("int", "str", "bytes", "dict"), shared.HITS, strict=True)
}


def _shared(peer: Peer, function: Callable[..., Any]) -> Callable[..., Any]:
    return peer.decorate_shared(function, MAXSIZE, _directory())


def _directory() -> str:
    """Where a cache may lie, in memory where that can be had; directory() removes it."""
    if not shared_directory:
        memory = MEMORY if MEMORY.is_dir() else None
        shared_directory.append(tempfile.mkdtemp(dir=memory, prefix="cache-bench-"))
    return shared_directory[0]


MEMORY = Path("/dev/shm")
shared_directory: list[str] = []


def shared_hits(kind: str, peer: Peer) -> Timed:
    """One process."""
    keys, function = KINDS[kind]
    counted = Counted(function)
    cached = _shared(peer, counted.function)
    loop = loops.fresh(loops.POSITIONAL.call)
    loop(cached, keys, 2)

    def run(times: int) -> float:
        taken = _seconds(partial(loop, cached, keys, times))
        counted.check(len(keys))
        return taken

    return Timed(run, len(keys))


def shared_misses(peer: Peer) -> Timed:
    """One process, new keys in a full cache."""
    cached = _shared(peer, lambda x: x)
    keys, loop, calls = count(1 << 20), loops.fresh(loops.POSITIONAL.call), 500
    loop(cached, [next(keys) for _ in range(2 * MAXSIZE)], 1)

    def run(times: int) -> float:
        new = [next(keys) for _ in range(times * calls)]
        return _seconds(partial(loop, cached, new, 1))

    return Timed(run, calls)


def _reader(cached: Any, keys: list[Any], times: int, start: Any, results: Any) -> None:
    loop = loops.fresh(loops.POSITIONAL.call)
    loop(cached, keys, 2)
    start.wait()
    begun = time.perf_counter()
    loop(cached, keys, times)
    results.put((begun, time.perf_counter()))


def shared_together(number: int, peer: Peer) -> Timed:
    """Processes that read at the same time; the calls of all count."""
    keys, function = KINDS["int"]
    # A function of its own: caches put attributes on functions.
    cached = _shared(peer, lambda x: function(x))
    context = multiprocessing.get_context("fork")

    def run(times: int) -> float:
        start, results = context.Barrier(number), context.SimpleQueue()
        processes = [context.Process(target=_reader, args=(cached, keys, times, start, results)) for _ in range(number)]
        for process in processes:
            process.start()
        # The clock is the machine's, the same in all processes.
        spans = [results.get() for _ in processes]
        for process in processes:
            process.join()
        return float(max(end for _, end in spans) - min(begun for begun, _ in spans))

    return Timed(run, number * len(keys))


@contextmanager
def directory() -> Iterator[None]:
    """Leaves nothing behind of what caches have put into their directory, or beside it under its name."""
    try:
        yield
    finally:
        for made in map(Path, shared_directory):
            shutil.rmtree(made, ignore_errors=True)
            for path in MEMORY.rglob(f"*{made.name}*"):
                path.unlink()
        shared_directory.clear()


# ---- mappings -------------------------------------------------------------------------------------------------------


def _mapping(peer: Peer, loop: loops.LoopFunction) -> Timed:
    cache, keys, own = peer.mapping(MAXSIZE), list(range(1000, 1000 + KEYS)), loops.fresh(loop)
    mapping.sets(cache, keys, 1)
    return Timed(lambda times: _seconds(partial(own, cache, keys, times)), KEYS)


def mapping_hits(peer: Peer) -> Timed:
    """get() of what is there."""
    return _mapping(peer, mapping.reads)


def mapping_sets(peer: Peer) -> Timed:
    """A new value for what is there."""
    return _mapping(peer, mapping.sets)


def mapping_evicts(peer: Peer) -> Timed:
    """A new key in a full mapping."""
    cache, keys, loop, calls = peer.mapping(MAXSIZE), count(10**6), loops.fresh(mapping.sets), 1000
    loop(cache, [next(keys) for _ in range(2 * MAXSIZE)], 1)

    def run(times: int) -> float:
        new = [next(keys) for _ in range(times * calls)]
        return _seconds(partial(loop, cache, new, 1))

    return Timed(run, calls)


# ---- what is not timed ----------------------------------------------------------------------------------------------


RESIDENT_ENTRIES = 1_000_000


def _memory_seen(peer: Peer, ways: Iterable[str], entries: int) -> float:
    peer.decorate(coroutines.trivial, 1)  # raises here, and not in the other processes, where it can't be done
    parts = (footprint.output(["-m", "peers.worker", "--peer", peer.name, "--memory", way]) for way in ways)
    return sum(map(int, parts)) / entries


def memory(peer: Peer) -> float:
    """Bytes an entry that are asked for; the key object is the caller's and not counted."""
    seen = _memory_seen(peer, footprint.WAYS, footprint.ENTRIES)
    if seen < 16:
        raise Cannot("takes memory from an allocator of its own, which can't be asked")
    return seen


def memory_resident(peer: Peer) -> float:
    """Bytes an entry by which the process grows: with what allocators keep for themselves."""
    return _memory_seen(peer, ["resident"], RESIDENT_ENTRIES)


def memory_taken(peer: Peer, way: str) -> int:
    """Bytes that a filled cache takes, with room for twice as many entries: some caches are full before maxsize."""
    entries = RESIDENT_ENTRIES if way == "resident" else footprint.ENTRIES
    calls, cached = 0, peer.load()

    def function(_key: int) -> None:
        nonlocal calls
        calls += 1

    def decorate(_nothing: object) -> Any:
        nonlocal cached
        cached = peer.decorate(function, 2 * entries)
        return cached

    taken = footprint.taken(decorate, way, entries)
    for key in range(1_000_000, 1_000_000 + entries):
        cached(key)
    if calls > entries:
        raise scenarios.NotHits(f"{calls - entries:,} of {entries:,} entries were lost")
    return taken


def hit_ratio(name: str, peer: Peer) -> float:
    """Per cent of the requests of a synthetic workload, counted by the function behind the cache."""
    (workload,) = (made for make in workloads.SYNTHETIC if (made := make(workloads.SEEDS[0])).name == name)
    counted = Counted(lambda key: None)
    cached = peer.decorate(counted.function, workload.maxsizes[0])
    for key in workload.keys:
        cached(key)
    return 100 * (1 - counted.calls / len(workload.keys))
