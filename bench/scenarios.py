"""Every scenario of the bench, and what is asked of it: used by timing.py and instructions.py alike.

A scenario says how a callable is made from a decorator factory, which calls fill its cache, which calls are counted,
and in what kind of loop. `Run` is a scenario with one subject in it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import loops

Factory = Callable[..., Any]  # lru_cache, or something that is called like it
Calls = list[Any]  # one element a call: the argument, or a tuple of them


@dataclass(frozen=True)
class Asked:
    """What a row must show to count as met; what is None is not asked."""

    ratio: float | None = None  # at least: lru_cache's figure / ours
    floors: float | None = None  # at most: our figure / the floor's
    below: float | None = None  # less than: our figure, in the row's unit

    def text(self) -> str:
        """As the table shows it; `-` when nothing is asked."""
        parts = []
        if self.ratio is not None:
            parts.append(f">={self.ratio:g}x")
        if self.floors is not None:
            parts.append(f"<={self.floors:g} floors")
        if self.below is not None:
            parts.append(f"<{self.below:g}")
        return ", ".join(parts) or "-"


# ---- what is called -------------------------------------------------------------------------------------------------


def _one(x: Any = None) -> Any:
    return x


def _two(a: Any, b: Any) -> Any:
    return a


def _three(a: Any, b: Any, c: Any) -> Any:
    return a


def _named(a: Any) -> Any:
    return a


def _one_and_named(a: Any, k: Any) -> Any:
    return a


class Point:
    """A key whose hash and equality are Python code."""

    def __init__(self, x: int) -> None:
        self.x = x

    def __hash__(self) -> int:
        return hash(self.x)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and self.x == other.x


# ---- how it is wrapped ----------------------------------------------------------------------------------------------


def _decorated(factory: Factory, options: dict[str, Any], function: Callable[..., Any]) -> Any:
    return factory(**options)(function)


def _instance(factory: Factory, options: dict[str, Any], _function: Callable[..., Any]) -> Any:
    """An object whose method `m` is decorated, looked up in its class."""

    def m(self: Any, x: Any) -> Any:
        return x

    return type("Holder", (), {"m": factory(**options)(m)})()


def _factory_itself(factory: Factory, _options: dict[str, Any], _function: Callable[..., Any]) -> Any:
    return factory


# ---- which calls are made -------------------------------------------------------------------------------------------


def _shuffled(keys: Calls) -> Calls:
    """Each key four times, in four orders: 256 keys give 1,024 calls."""
    rng = random.Random(20)
    return [key for _ in range(4) for key in rng.sample(keys, len(keys))]


def _at_random(keys: Calls) -> Calls:
    """Each key once, at random: no call finds its entry near that of the call before."""
    return random.Random(21).sample(keys, len(keys))


def _zipf(keys: Calls) -> Calls:
    """50,000 calls; the key of rank r is called with a probability in proportion to 1/r."""
    weights = list(accumulate(1 / rank for rank in range(1, len(keys) + 1)))
    rng = random.Random(22)
    ranked = rng.sample(keys, len(keys))
    return rng.choices(ranked, cum_weights=weights, k=50_000)


def _new_ints(start: int, count: int) -> Calls:
    """Neighbours. CPython's dict keeps them side by side, for an int is its own hash: the best case of lru_cache."""
    return list(range(start, start + count))


def _new_scattered_ints(start: int, count: int) -> Calls:
    """Ints as far apart as hashes of other things are; all differ, for the modulus is a prime."""
    return [i * 0x9E3779B97F4A7C15 % (2**61 - 1) for i in range(start, start + count)]


def _ints() -> Calls:
    return list(range(256))


def _many_ints() -> Calls:
    return list(range(1_000_000, 1_100_000))


def _strs() -> Calls:
    return [f"key-{i:06d}" for i in range(256)]


@dataclass(frozen=True)
class Scenario:
    """One row of the table."""

    name: str
    loop: loops.Loop
    asked: Asked
    keys: Callable[[], Calls] = _ints  # the calls that fill the cache; not called when `scan` is set
    draw: Callable[[Calls], Calls] = _shuffled  # from those, the calls of the list that is gone over
    others: bool = False  # the counted calls use keys that are equal to the stored ones, but other objects
    # (start, count) -> new keys: the cache is full, and no call of any pass hits
    scan: Callable[[int, int], Calls] | None = None
    options: dict[str, Any] = field(default_factory=lambda: {"maxsize": 512})
    function: Callable[..., Any] = _one
    wrap: Callable[[Factory, dict[str, Any], Callable[..., Any]], Any] = _decorated
    hits: bool = True  # every call but the filling ones must be a hit; checked after the passes
    count: int = 250_000  # calls a pass of timing.py: some milliseconds
    has_floor: bool = True
    has_dict: bool = False  # dict.get can stand beside it: one positional argument, all hits
    counted: bool = True  # instructions.py takes it too

    def prepared(self) -> tuple[Calls, Calls]:
        """The calls that fill the cache, and the calls that are gone over."""
        if self.scan:
            return [], []
        filling = self.keys()
        return filling, self.draw(self.keys() if self.others else filling)


class NotHits(Exception):
    """A subject missed calls that it had stored: its figure would be that of another scenario."""


class Run:
    """A scenario with one subject in it, its cache filled."""

    def __init__(
        self, scenario: Scenario, target: Any, loop: loops.LoopFunction, prepared: tuple[Calls, Calls]
    ) -> None:
        self._scenario = scenario
        self._target = target
        self._loop = loops.fresh(loop)
        self._calls = prepared[1]
        filling = scenario.scan(0, scenario.options["maxsize"] + 1000) if scenario.scan else prepared[0]
        self._next_key = len(filling)
        self._filled = len(set(filling))
        self._loop(target, filling, 1)

    def ready(self, count: int) -> tuple[Callable[[], None], int]:
        """A function that makes `count` calls or a few more (a whole number of rounds over the list), and how many.

        New keys of a scan are made here, for this subject alone: where key objects were shared, the subject that comes
        last would pay for freeing them.
        """
        if self._scenario.scan:
            calls = self._scenario.scan(self._next_key, count)
            self._next_key += count
        else:
            calls = self._calls
        repeats = -(-count // len(calls))
        loop, target = self._loop, self._target
        return lambda: loop(target, calls, repeats), len(calls) * repeats

    def keep(self, longest: int) -> None:
        """Shortens the list that is gone over to so many calls at most."""
        self._calls = self._calls[:longest]

    def miss_ratio(self) -> float | None:
        """The part of all calls so far that missed; None for subjects that keep no count. Raises NotHits."""
        info = getattr(getattr(self._target, "m", self._target), "cache_info", None)
        if info is None:
            return None
        hits, misses, _, _ = info()
        if self._scenario.hits and misses > self._filled:
            raise NotHits(f"{self._scenario.name}: {misses:,} misses, where {self._filled} keys were stored")
        return float(misses / (hits + misses))


def runs(scenario: Scenario, factories: dict[str, Factory]) -> dict[str, Run]:
    """A Run for the empty loop (`loop`), for each named factory, and for `dict.get` where it fits."""
    prepared = scenario.prepared()
    made = {"loop": Run(scenario, None, scenario.loop.empty, prepared)}
    for name, factory in factories.items():
        if name != "floor" or scenario.has_floor:
            target = scenario.wrap(factory, scenario.options, scenario.function)
            made[name] = Run(scenario, target, scenario.loop.call, prepared)
    if scenario.has_dict:
        made["dict.get"] = Run(scenario, dict.fromkeys(prepared[0]).get, scenario.loop.call, prepared)
    return made


def _decorating(name: str, loop: loops.Loop) -> Scenario:
    return Scenario(
        name, loop, Asked(1.0), keys=lambda: [_one], draw=lambda keys: keys * 100, wrap=_factory_itself, count=10_000,
        hits=False, has_floor=False, counted=False,
    )  # fmt: skip


SCENARIOS = [
    Scenario("one int, 256 keys", loops.POSITIONAL, Asked(1.9, floors=1.25), has_dict=True),
    Scenario("one str, the very objects", loops.POSITIONAL, Asked(2.2), keys=_strs, has_dict=True),
    Scenario("one str, equal but other objects", loops.POSITIONAL, Asked(1.9), keys=_strs, others=True, has_dict=True),
    Scenario("no arguments", loops.NO_ARGUMENT, Asked(1.8)),
    Scenario(
        "two positional", loops.TWO_POSITIONAL, Asked(2.6), keys=lambda: [(i, i + 1) for i in range(256)], function=_two
    ),
    Scenario(
        "three mixed (int, str, float)", loops.THREE_POSITIONAL, Asked(2.6),
        keys=lambda: [(i, f"key-{i:06d}", i / 4) for i in range(256)], function=_three,
    ),
    Scenario("one keyword", loops.KEYWORD, Asked(2.8), function=_named),
    Scenario(
        "one positional, one keyword", loops.POSITIONAL_AND_KEYWORD, Asked(3.0),
        keys=lambda: [(i, i + 1) for i in range(256)], function=_one_and_named,
    ),
    Scenario("typed, one int", loops.POSITIONAL, Asked(3.5), options={"maxsize": 512, "typed": True}),
    Scenario("method, one int", loops.METHOD, Asked(2.0), wrap=_instance),
    Scenario("unbounded, one int", loops.POSITIONAL, Asked(1.8), options={"maxsize": None}, has_dict=True),
    Scenario(
        "one float", loops.POSITIONAL, Asked(2.5), keys=lambda: [i + i / 256 for i in range(256)], has_dict=True
    ),
    Scenario(
        "one int in strides of 2**32", loops.POSITIONAL, Asked(2.5), keys=lambda: [i << 32 for i in range(256)],
        has_dict=True,
    ),
    Scenario(
        "one tuple of two", loops.POSITIONAL, Asked(1.8), keys=lambda: [(i, i + 1) for i in range(256)], has_dict=True
    ),
    Scenario(
        "object with Python __hash__, __eq__", loops.POSITIONAL, Asked(1.0),
        keys=lambda: [Point(i) for i in range(256)], others=True, has_dict=True, count=60_000,
    ),
    Scenario(
        "100,000 ints at random", loops.POSITIONAL, Asked(2.0), keys=_many_ints, draw=_at_random,
        options={"maxsize": 200_000}, has_dict=True, count=100_000,
    ),
    Scenario(
        "100,000 ints at random, other objects", loops.POSITIONAL, Asked(), keys=_many_ints, draw=_at_random,
        others=True, options={"maxsize": 200_000}, has_dict=True, count=100_000,
    ),
    Scenario(
        "Zipf over 2,000, maxsize 256", loops.POSITIONAL, Asked(2.2), keys=lambda: list(range(2_000)), draw=_zipf,
        options={"maxsize": 256}, hits=False, count=150_000,
    ),
    Scenario(
        "scan of new keys, maxsize 1,000", loops.POSITIONAL, Asked(1.8), scan=_new_ints, options={"maxsize": 1_000},
        hits=False, count=100_000,
    ),
    _decorating("decorating, lru_cache(f)", loops.DECORATE),
    _decorating("decorating, lru_cache(maxsize=10)(f)", loops.DECORATE_WITH_OPTIONS),
    # Last: a million entries leave the heap in another state than a few hundred do.
    Scenario(
        "scan of new keys, maxsize 1,000,000", loops.POSITIONAL, Asked(1.8), scan=_new_ints,
        options={"maxsize": 1_000_000}, hits=False, count=100_000, counted=False,
    ),
    Scenario(
        "scan of scattered keys, maxsize 1,000,000", loops.POSITIONAL, Asked(), scan=_new_scattered_ints,
        options={"maxsize": 1_000_000}, hits=False, count=60_000, counted=False,
    ),
]  # fmt: skip

# Rows of timing.py that are no calls; see footprint.py for how they are taken.
MEMORY_NAME, MEMORY_ASKED = "memory per entry, int to None (bytes)", Asked(2.0)
IMPORT_NAME, IMPORT_ASKED = "importing the module (ms)", Asked(below=3.0)


def selected(only: str) -> list[Scenario]:
    """The scenarios whose name contains `only`, whatever the case."""
    # These are made of what is defined here.
    from key_scenarios import KEY_SCENARIOS

    return [scenario for scenario in SCENARIOS + KEY_SCENARIOS if only.lower() in scenario.name.lower()]
