"""What is measured: every scenario, in the order of the tables.

To add one, put a `Scenario` into `SCENARIOS`: its group is the table that it goes to, and `make` says how it is run
(timers.py has the ways). Names are unique.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from peers import timers
from peers.adapters import Peer

# Groups, and the heading of each.
GROUPS = {
    "single": "Calls, one thread",
    "threads": "Calls, several threads in one cache",
    "async": "Awaits",
    "shared": "A cache that processes share",
    "mapping": "The cache as a mapping",
    "memory": "Memory",
    "ratio": "Hit ratio",
}


@dataclass(frozen=True)
class Scenario:
    """A row of a table, or a column where `series` names the row."""

    group: str
    name: str
    # Peer to what is timed; for "memory" and "ratio", which are not timed, to a function that returns the figure.
    make: Callable[[Peer], Any]
    unit: str = "ns"
    # Scenarios of one series differ in a number: of threads, or of processes.
    series: str = ""
    number: int = 0


def _threads(loop: str, series: str) -> list[Scenario]:
    return [
        Scenario(
            "threads", f"{series}, {n} thread{'s'[: n - 1]}", partial(timers.threads, loop, n), series=series, number=n
        )
        for n in (1, 2, 4, 8)
    ]


def _single(title: str, name: str, ttl: float | None = None) -> Scenario:
    return Scenario("single", title, partial(timers.single, name, ttl))


SCENARIOS: list[Scenario] = [
    # The second names are those of ../scenarios.py.
    _single("hit, one int", "one int, 256 keys"),
    _single("hit, one str", "one str, the very objects"),
    _single("hit, equal str, another object", "one str, equal but other objects"),
    _single("hit, no arguments", "no arguments"),
    _single("hit, two arguments", "two positional"),
    _single("hit, int, str and float", "three mixed (int, str, float)"),
    _single("hit, one keyword", "one keyword"),
    _single("hit, one tuple", "one tuple of two"),
    _single("hit, 100,000 ints at random", "100,000 ints at random"),
    _single("hit, one int, ttl of a minute", "one int, 256 keys", ttl=60),
    _single("Zipf over 2,000, maxsize 256", "Zipf over 2,000, maxsize 256"),
    _single("miss and evict, new ints, maxsize 1,000", "scan of new keys, maxsize 1,000"),
    # These are those of ../threads.py.
    *_threads("hits, 200 keys", "hits, 200 keys"),
    *_threads("hits, one key", "hits, one key"),
    *_threads("one call in ten misses and evicts", "one call in ten misses"),
    Scenario("async", "await of a hit", timers.await_hits),
    Scenario("async", "await of a miss that evicts", timers.await_misses),
    Scenario("async", "1,000 tasks on one key, each", timers.tasks_together),
    Scenario("shared", "hit, int key and value", partial(timers.shared_hits, "int")),
    Scenario("shared", "hit, str key and value", partial(timers.shared_hits, "str")),
    Scenario("shared", "hit, dict of 10 items", partial(timers.shared_hits, "dict")),
    Scenario("shared", "miss and store, int", timers.shared_misses),
    *(
        Scenario(
            "shared",
            f"hits, int, {n} process{'es'[: 2 * (n - 1)]}",
            partial(timers.shared_together, n),
            series="hits, int",
            number=n,
        )
        for n in (1, 2, 4)
    ),
    Scenario("mapping", "get, int, there", timers.mapping_hits),
    Scenario("mapping", "set, int, there", timers.mapping_sets),
    Scenario("mapping", "set, new int, evicts", timers.mapping_evicts),
    Scenario("memory", "an entry, int to None, allocated", timers.memory, unit="bytes"),
    Scenario("memory", "an entry, int to None, resident", timers.memory_resident, unit="bytes"),
    Scenario("ratio", "Zipf over 10,000, maxsize 1,000", partial(timers.hit_ratio, "Zipf"), unit="%"),
    Scenario("ratio", "scan, maxsize 200", partial(timers.hit_ratio, "scan"), unit="%"),
    Scenario("ratio", "one-hit wonders, maxsize 500", partial(timers.hit_ratio, "one-hit wonders"), unit="%"),
    Scenario("ratio", "working-set shift, maxsize 200", partial(timers.hit_ratio, "working-set shift"), unit="%"),
]


def find(name: str) -> Scenario:
    """The scenario of this name. Raises KeyError."""
    return {scenario.name: scenario for scenario in SCENARIOS}[name]
