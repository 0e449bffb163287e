"""Who is asked for hit ratios: SIEVE as tamis runs it, functools' LRU, and what both are held against.

Each takes requests and a cache size, and returns how many of them hit.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Hashable, Sequence
from heapq import heappop, heappush
from typing import Any

Policy = Callable[[Sequence[Hashable], int], int]


def _nothing(_key: Any) -> None:
    return None


def decorated(lru_cache: Callable[..., Any]) -> Policy:
    """The hits that a decorator of lru_cache's kind counts itself."""

    def hits(keys: Sequence[Hashable], maxsize: int) -> int:
        cached = lru_cache(maxsize=maxsize)(_nothing)
        for key in keys:
            cached(key)
        return int(cached.cache_info().hits)

    return hits


def fifo(keys: Sequence[Hashable], maxsize: int) -> int:
    """First in, first out."""
    queue: dict[Hashable, None] = {}
    hits = 0
    for key in keys:
        if key in queue:
            hits += 1
            continue
        if len(queue) == maxsize:
            del queue[next(iter(queue))]
        queue[key] = None
    return hits


def optimum(keys: Sequence[Hashable], maxsize: int) -> int:
    """Belady's optimum: the entry leaves that is asked for again last of all. It needs to know what comes.

    L. A. Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems Journal 5 (1966).
    Each miss is stored, as all caches here do.
    """
    never = len(keys)
    following = [never] * len(keys)
    soonest: dict[Hashable, int] = {}
    for at in range(len(keys) - 1, -1, -1):
        following[at] = soonest.get(keys[at], never)
        soonest[keys[at]] = at
    # Key to its next request; the heap has these too, the last first, and others that are no longer true.
    entries: dict[Hashable, int] = {}
    heap: list[tuple[int, int]] = []
    hits = 0
    for at, key in enumerate(keys):
        if key in entries:
            hits += 1
        elif len(entries) == maxsize:
            while True:
                negated, request = heappop(heap)
                if entries.get(keys[request]) == -negated:
                    break
            del entries[keys[request]]
        entries[key] = following[at]
        heappush(heap, (-following[at], at))
    return hits


def independent(keys: Sequence[Hashable], maxsize: int) -> int:
    """SIEVE by libCacheSim, which the authors of the paper wrote in C. Raises ImportError where it is not installed."""
    library = importlib.import_module("libcachesim")
    cache, request = library.Sieve(maxsize), library.Request()
    request.obj_size = 1
    numbers: dict[Hashable, int] = {}
    hits = 0
    for key in keys:
        request.obj_id = numbers.setdefault(key, len(numbers))
        hits += cache.get(request)
    return hits


def all_of(module: Any) -> dict[str, Policy]:
    """Name to policy, in the order of the columns; those that need what is not installed are left out, with a word."""
    made = {
        "FIFO": fifo,
        "LRU": decorated(functools.lru_cache),
        "SIEVE": decorated(module.lru_cache),
        "optimum": optimum,
    }
    try:
        importlib.import_module("libcachesim")
    except ImportError as error:
        print(f"left out: libcachesim's SIEVE ({error})", file=sys.stderr)
    else:
        made["libcachesim"] = independent
    return made
