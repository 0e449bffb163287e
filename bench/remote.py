"""What a cache in Redis or Valkey takes: `python bench/remote.py`.

One server on loopback, which this script starts; all in one process, in turns, and of many passes the least counts.
Beside a bare GET of redis-py and, where they are there, its client-side cache, cashews, aiocache and dogpile.cache.
`--json FILE` is what `python bench/plot.py FILE.json FILE.svg` draws, and `--valkey` has Valkey's server.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import redis
import subject

import tamis
from tamis.remote import Redis

ROUNDS = 25
REPEATS = 200
VALUE = {"symbol": "TAM", "price": 12.5, "sizes": [1, 2, 3], "name": "a company of that name"}

Timed = dict[str, float]
# What was shown, for --json.
TABLES: list[dict[str, object]] = []


@contextlib.contextmanager
def server() -> Iterator[int]:
    """A server's port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    program = "redis-server" if "--valkey" not in sys.argv else "valkey-server"
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--save", "", "--appendonly", "no"]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        try:
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.01)
            yield port
        finally:
            process.kill()
            process.wait()


def in_turns(calls: dict[str, Callable[[], object]], repeats: int = REPEATS, rounds: int = ROUNDS) -> Timed:
    """The least microseconds a call of each."""
    least: Timed = {}
    for turn in range(-1, rounds):
        for name, call in calls.items():
            start = time.perf_counter_ns()
            for _ in range(repeats):
                call()
            taken = (time.perf_counter_ns() - start) / repeats / 1000
            if turn >= 0:
                least[name] = min(least.get(name, taken), taken)
    return least


async def awaited_in_turns(calls: dict[str, Callable[[], Awaitable[object]]], repeats: int = REPEATS) -> Timed:
    """The same of awaiting."""
    least: Timed = {}
    for turn in range(-1, ROUNDS):
        for name, call in calls.items():
            start = time.perf_counter_ns()
            for _ in range(repeats):
                await call()
            taken = (time.perf_counter_ns() - start) / repeats / 1000
            if turn >= 0:
                least[name] = min(least.get(name, taken), taken)
    return least


def show(title: str, timed: Timed, beside: str) -> None:
    """A table of microseconds, and how many times those of one row."""
    TABLES.append({"title": title, "microseconds": timed})
    print(f"\n{title}")
    for name, taken in timed.items():
        print(f"  {name:<44} {taken:>10.3f} us {taken / timed[beside]:>9.2f}")


def settled(call: Callable[[], object]) -> None:
    """Calls until the server has told of all that was stored."""
    for _ in range(20):
        call()
        time.sleep(0.01)


def near(port: int, tier: Redis) -> None:
    """Hits of the near cache."""
    f = tamis.lru_cache(ttl=600, backend=tier, name="near")(lambda x: VALUE)
    memory = tamis.lru_cache(ttl=600)(lambda x: VALUE)
    settled(lambda: (f(1), memory(1)))
    calls: dict[str, Callable[[], object]] = {
        "in memory, with a ttl": lambda: memory(1),
        "tamis, near": lambda: f(1),
    }
    bare = redis.Redis(port=port)
    bare.set("cached", json.dumps(VALUE))
    calls["GET of redis-py"] = lambda: bare.get("cached")
    try:
        from redis.cache import CacheConfig

        client = redis.Redis(port=port, protocol=3, cache_config=CacheConfig())
        client.get("cached")
        calls["redis-py, client-side cache"] = lambda: client.get("cached")
    except (ImportError, redis.ConnectionError) as error:
        print(f"not compared: redis-py's client-side cache: {error}")
    show("near hit", in_turns(calls), "in memory, with a ttl")


def hits(port: int, tier: Redis) -> None:
    """Hits of the server."""
    f = tamis.lru_cache(maxsize=0, ttl=600, backend=tier, name="tier")(lambda x: VALUE)
    settled(lambda: f(1))
    client = redis.Redis(port=port)
    client.set("bare", json.dumps(VALUE))
    calls: dict[str, Callable[[], object]] = {
        "GET of redis-py, and json.loads": lambda: json.loads(client.get("bare") or b""),
        "tamis, hit in the tier": lambda: f(1),
    }
    with contextlib.suppress(ImportError):
        dogpile = importlib.import_module("dogpile.cache")
        region = dogpile.make_region().configure("dogpile.cache.redis", arguments={"port": port})
        cached = region.cache_on_arguments()(lambda x: VALUE)
        cached(1)
        calls["dogpile.cache"] = lambda: cached(1)
    show("hit in the tier", in_turns(calls), "GET of redis-py, and json.loads")


def misses(port: int, tier: Redis) -> None:
    """Misses, with what they store."""
    numbers = iter(range(1 << 60))
    plain = tamis.lru_cache(maxsize=0, ttl=600, backend=tier, name="misses")(lambda x: VALUE)
    leased = tamis.lru_cache(maxsize=0, ttl=600, backend=tier, name="leased", single_flight=True)(lambda x: VALUE)
    client = redis.Redis(port=port)
    client.set("bare", json.dumps(VALUE))
    calls: dict[str, Callable[[], object]] = {
        "GET of redis-py": lambda: client.get("bare"),
        "tamis, miss and store": lambda: plain(next(numbers)),
        "tamis, miss and store, single_flight": lambda: leased(next(numbers)),
    }
    with contextlib.suppress(ImportError):
        dogpile = importlib.import_module("dogpile.cache")
        region = dogpile.make_region().configure("dogpile.cache.redis", arguments={"port": port})
        cached = region.cache_on_arguments()(lambda x: VALUE)
        calls["dogpile.cache"] = lambda: cached(next(numbers))
    show("miss and store", in_turns(calls), "GET of redis-py")


async def awaits(port: int, tier: Redis) -> None:
    """Hits of the server, of coroutine functions."""

    @tamis.lru_cache(maxsize=0, ttl=600, backend=tier, name="awaits")
    async def f(x: object) -> object:
        return VALUE

    import redis.asyncio

    client = redis.asyncio.Redis(port=port)
    await client.set("bare", json.dumps(VALUE))
    await f(1)

    async def bare() -> object:
        return json.loads(await client.get("bare") or b"")

    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "GET of redis.asyncio, and json.loads": bare,
        "tamis, hit in the tier": lambda: f(1),
    }
    with contextlib.suppress(ImportError):
        cashews = importlib.import_module("cashews")
        cashews.cache.setup(f"redis://127.0.0.1:{port}/0")

        async def function(x: int) -> object:
            return VALUE

        cashewed = cashews.cache(ttl="10m", key="f:{x}")(function)
        await cashewed(1)
        calls["cashews"] = lambda: cashewed(1)
    with contextlib.suppress(ImportError):
        aiocache = importlib.import_module("aiocache")
        cached = aiocache.cached(
            ttl=600, cache=aiocache.Cache.REDIS, port=port, serializer=aiocache.serializers.JsonSerializer()
        )
        cached_function = cached(bare)
        await cached_function()
        calls["aiocache"] = lambda: cached_function()
    show("hit in the tier, awaited", await awaited_in_turns(calls), "GET of redis.asyncio, and json.loads")
    await client.aclose()


def news(port: int, tier: Redis) -> None:
    """How long a change takes to another tier, which is as another process."""
    spans = []
    with Redis(f"redis://127.0.0.1:{port}/0", namespace="bench") as other:
        versions = [0]
        f, g = (tamis.lru_cache(backend=each, name="news")(lambda x: versions[0]) for each in (tier, other))
        settled(lambda: (f(1), g(1)))
        for version in range(1, 301):
            f.cache_put(version, 1)
            start = time.perf_counter_ns()
            while g(1) != version:
                # Lets the listening thread have the GIL, as if this were another process.
                time.sleep(0.00002)
            spans.append((time.perf_counter_ns() - start) / 1e6)
            time.sleep(0.002)
    spans.sort()
    print(f"\na change is seen by another process after: median {spans[150]:.3f} ms, 99 % {spans[297]:.3f} ms")


def memory(tier: Redis) -> None:
    """What near entries of many functions take, and how many threads there are."""
    functions = [tamis.lru_cache(ttl=600, backend=tier, name=f"f{number}")(lambda x: x) for number in range(1000)]
    functions[0](0)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for f in functions:
        for x in range(10):
            f(x)
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    entries = sum(f.cache_info().currsize for f in functions)
    size = taken / entries
    listeners = sum(thread.name == "tamis.remote" for thread in threading.enumerate())
    print(f"\n{entries:,} near entries of 1,000 functions: {size:.0f} bytes an entry, {listeners} listening thread")


def main() -> None:
    """Measure all."""
    with server() as port:
        print(f"redis-py {redis.__version__}, {sys.version.split()[0]}; the last column is a ratio to the first row")
        with Redis(f"redis://127.0.0.1:{port}/0", namespace="bench") as tier:
            near(port, tier)
            hits(port, tier)
            misses(port, tier)
            asyncio.run(awaits(port, tier))
            news(port, tier)
            memory(tier)
    if "--json" in sys.argv:
        measured = {"environment": subject.environment(tamis), "tables": TABLES}
        Path(sys.argv[sys.argv.index("--json") + 1]).write_text(json.dumps(measured, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
