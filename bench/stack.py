"""How much of the C stack a level of recursion through a cache takes: `python bench/stack.py`.

A thread recurses to some depth and stops there in a system call, and the kernel tells where its stack pointer stands
(/proc/self/task/*/syscall). All that CPython takes for calling the function is in it, for functools.lru_cache as well.
"""

from __future__ import annotations

import functools
import os
import tempfile
import threading
from collections.abc import Callable
from typing import Any

from subject import begin, parser

SHALLOW, DEEP = 20, 220

Decorator = Callable[[Any], Any]


def stack_pointer_of(thread: int) -> int:
    """Where the stack pointer of a thread stands that sleeps in a system call."""
    while True:
        with open(f"/proc/self/task/{thread}/syscall") as file:
            fields = file.read().split()
        if len(fields) > 2:
            return int(fields[-2], 16)


def pointer_at(decorate: Decorator, depth: int) -> int:
    """The stack pointer of a thread that has called so many levels deep."""
    asked, answered = os.pipe(), os.pipe()
    number: list[int] = []

    @decorate
    def level(left: int, other: int = 0) -> int:
        if left:
            return level(left - 1) + 1  # type: ignore[no-any-return]
        number.append(threading.get_native_id())
        os.write(asked[1], b"!")
        os.read(answered[0], 1)
        return 0

    # Processes share some, and so do two caches of one name.
    getattr(level, "cache_clear", int)()
    thread = threading.Thread(target=level, args=(depth,))
    thread.start()
    os.read(asked[0], 1)
    pointer = stack_pointer_of(number[0])
    os.write(answered[1], b"!")
    thread.join()
    for end in (*asked, *answered):
        os.close(end)
    return pointer


def bytes_a_level(decorate: Decorator) -> float:
    """How far the stack pointer moves from one level to the next."""
    return (pointer_at(decorate, SHALLOW) - pointer_at(decorate, DEEP)) / (DEEP - SHALLOW)


def twice(decorate: Decorator) -> Decorator:
    """Two caches, one around the other."""
    return lambda function: decorate(decorate(function))


def factory(module: Any) -> Decorator:
    """A function that calls itself through SieveCache.get_or_compute."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        cache = module.SieveCache(1000)
        return lambda left: cache.get_or_compute(left, lambda: function(left))

    return decorate


def decorators(module: Any, folder: str) -> dict[str, Decorator]:
    """What is measured, by name."""
    one = module.lru_cache
    return {
        "functools.lru_cache": functools.lru_cache(1000),
        "maxsize": one(1000),
        "maxsize=None": one(None),
        "maxsize=0": one(0),
        "typed": one(1000, typed=True),
        "ttl": one(1000, ttl=100),
        "tti": one(1000, tti=100),
        "key": one(1000, key=lambda left: left),
        "ignore": one(1000, ignore="other"),
        "clock": one(1000, ttl=100, clock=lambda: 1.0),
        "weigher, on_evict": one(None, weigher=lambda value: 1, maxweight=1000, on_evict=print),
        "copy": one(1000, copy=True),
        "single_flight": one(1000, single_flight=True),
        "shared": one(1000, backend="shared", path=folder, name="stack-1"),
        "shared, ttl": one(1000, backend="shared", path=folder, name="stack-2", ttl=100),
        "shared, key": one(1000, backend="shared", path=folder, name="stack-3", key=lambda left: left),
        "shared, single_flight": one(1000, backend="shared", path=folder, name="stack-4", single_flight=True),
        "twice": twice(one(1000)),
        "get_or_compute": factory(module),
    }


def main() -> None:
    options, module = begin(parser(__doc__ or ""))
    with tempfile.TemporaryDirectory() as folder:
        for name, decorate in decorators(module, folder).items():
            if options.only.lower() in name.lower():
                print(f"{name:24} {bytes_a_level(decorate):8,.0f}", flush=True)


if __name__ == "__main__":
    main()
