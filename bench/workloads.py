"""Requests to measure hit ratios with: traces of real programs from files, and synthetic ones.

A trace is a file with one key a line, in the order of the requests, packed by gzip. Keys are numbers where all of them
are, and strings otherwise.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, cycle
from pathlib import Path

Keys = list[int] | list[str]

# The first is that of warp_cache's page: SIEVE turns on small things, so others are measured beside it.
SEEDS = (42, 43, 44, 45, 46)
REQUESTS = 1_000_000
# Cache sizes of traces, as parts of their distinct keys.
SHARES = (0.001, 0.01, 0.03, 0.1, 0.3)


@dataclass(frozen=True)
class Workload:
    """Requests, and the cache sizes they are to be measured at."""

    name: str
    keys: Keys
    maxsizes: tuple[int, ...]
    # Part of LRU's misses, in per cent, that warp_cache's page says its own SIEVE saves here.
    asked: float | None = None


def read(path: Path) -> Keys:
    """The keys of a trace. Raises OSError or ValueError where the file is none."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = [text for line in lines if (text := line.strip())]
    if not texts:
        raise ValueError(f"{path} has no requests")
    try:
        return [int(text) for text in texts]
    except ValueError:
        return texts


def trace(path: Path) -> Workload:
    """A trace at sizes of 0.1, 1, 3, 10 and 30 per cent of its distinct keys, at least one entry."""
    keys = read(path)
    distinct = len(set(keys))
    sizes = tuple(dict.fromkeys(max(1, round(share * distinct)) for share in SHARES))
    return Workload(path.name.removesuffix(".gz").removesuffix(".txt"), keys, sizes)


def _zipf(rng: random.Random, first: int, keys: int) -> Callable[[int], list[int]]:
    """Makes so many requests over `keys` keys from `first` on: the one of rank r in proportion to 1/r."""
    ranks, sums = range(first, first + keys), list(accumulate(1 / rank for rank in range(1, keys + 1)))
    return lambda requests: rng.choices(ranks, cum_weights=sums, k=requests)


def _mixed(rng: random.Random, part: float, some: Iterator[int], others: Callable[[int], list[int]]) -> list[int]:
    """Requests of which that part comes from `some`, one after the other, and the rest from `others`."""
    rest = iter(others(REQUESTS))
    return [next(some) if rng.random() < part else next(rest) for _ in range(REQUESTS)]


def zipf(seed: int) -> Workload:
    """10,000 keys."""
    return Workload("Zipf", _zipf(random.Random(seed), 0, 10_000)(REQUESTS), (1_000,), 21.6)


def scan(seed: int) -> Workload:
    """Seven in ten over 100 hot keys, the others go through 10,000 more in a ring."""
    rng = random.Random(seed)
    return Workload("scan", _mixed(rng, 0.3, cycle(range(100, 10_100)), _zipf(rng, 0, 100)), (200,), 17.6)


def one_hit_wonders(seed: int) -> Workload:
    """One in four is a key that never comes again, the others go over 5,000."""
    rng = random.Random(seed)
    unique = iter(range(5_000, 5_000 + REQUESTS))
    return Workload("one-hit wonders", _mixed(rng, 0.25, unique, _zipf(rng, 0, 5_000)), (500,), 18.1)


def shift(seed: int) -> Workload:
    """1,000 keys, then 1,000 others, then the first again, for a third each."""
    rng = random.Random(seed)
    first, other, third = _zipf(rng, 0, 1_000), _zipf(rng, 1_000, 1_000), REQUESTS // 3
    return Workload("working-set shift", first(third) + other(third) + first(REQUESTS - 2 * third), (200,), 16.6)


SYNTHETIC: list[Callable[[int], Workload]] = [zipf, scan, one_hit_wonders, shift]
