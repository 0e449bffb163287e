"""A reader whose keys are compared by Python code, beside a writer that evicts: `python bench/starvation.py`.

The reader's calls a second: alone, beside a thread that computes without any cache, and beside one that stores and
evicts in the reader's cache. The last two differ by what the writer does to the reader's comparisons. In turns; the
median of several passes counts, and functools stands beside.
"""

from __future__ import annotations

import functools
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import subject

import tamis

SECONDS = 0.4
ROUNDS = 9
KEYS = 16


@dataclass(frozen=True)
class Key:
    """Equal ones are other objects, so each hit compares by Python code."""

    number: int


def spin(_cached: Callable[[Any], Any], ends: threading.Event) -> None:
    """Computes."""
    number = 0
    while not ends.is_set():
        for number in range(200):
            number * number


def evict(cached: Callable[[Any], Any], ends: threading.Event) -> None:
    """Stores new entries, and so lets older ones go: never the reader's, which are read."""
    number = 1 << 40
    while not ends.is_set():
        for _ in range(50):
            number += 1
            cached(number)


def rate(make: Callable[..., Any], beside: Callable[..., None] | None) -> float:
    """The reader's calls a second."""
    cached = make(maxsize=64)(lambda key: key)
    keys = [Key(number) for number in range(KEYS)]
    for key in keys:
        cached(key)
    ends = threading.Event()
    other = threading.Thread(target=beside, args=(cached, ends)) if beside is not None else None
    if other is not None:
        other.start()
    others = [Key(number) for number in range(KEYS)]
    calls, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < SECONDS:
        for _ in range(20):
            for key in others:
                cached(key)
        calls += 20 * KEYS
    ends.set()
    if other is not None:
        other.join()
    return calls / taken


def main() -> None:
    """Print the table."""
    makers: dict[str, Callable[..., Any]] = {"lru_cache": functools.lru_cache, "tamis": tamis.lru_cache}
    company: dict[str, Callable[..., None] | None] = {
        "alone": None,
        "beside a thread that computes": spin,
        "beside one that evicts": evict,
    }
    rates: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for who, make in makers.items():
            for where, beside in company.items():
                rates.setdefault((who, where), []).append(rate(make, beside))
    print(subject.header(subject.environment(tamis)))
    rows = []
    for who in makers:
        medians = [statistics.median(rates[who, where]) for where in company]
        rows.append([who, *(f"{median / 1e6:.2f}" for median in medians), f"{medians[2] / medians[1]:.2f}"])
    titles = ["million calls of the reader a second", *company, "last, times the one before"]
    sys.stdout.write(subject.table(titles, rows) + "\n")


if __name__ == "__main__":
    main()
