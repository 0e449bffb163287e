"""Caches in memory with options, keys and finalizers by chance, used by threads.

`python tests/fuzz/memory.py --seconds 600` plays for ten minutes.

Checked are: the value of each call, the bounds at every look, the counts once all threads have ended, and that a
cleared cache keeps no value alive.
"""

from __future__ import annotations

import gc
import random
import sys
import threading
import time
import weakref
from contextlib import suppress
from typing import Any

from driver import main

import tamis
from tamis import _core

KEYS = 40


class Refused(Exception):
    """What hostile keys, functions and callbacks raise."""


class Value:
    """What is cached. It says of which key it is."""

    __slots__ = ("__weakref__", "number")

    def __init__(self, number: int) -> None:
        self.number = number

    def __deepcopy__(self, _memo: object) -> Value:
        return Value(self.number)


class Hostile:
    """A key that does by chance what keys should not do."""

    def __init__(self, number: int, game: Game) -> None:
        self.number = number
        self.game = game

    def __hash__(self) -> int:
        self.game.misbehave()
        return self.number % 7

    def __eq__(self, other: object) -> bool:
        self.game.misbehave()
        return isinstance(other, Hostile) and self.number == other.number

    def __del__(self) -> None:
        with suppress(Refused):
            self.game.misbehave()


class Game:
    """One cache, and what its threads do with it."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.kind = chance.choice(["function", "function", "function", "method", "mapping"])
        self.malice = chance.choice([0.0, 0.0, 0.02, 0.1])
        self.now = 0.0
        self.depth = threading.local()
        self.errors: list[BaseException] = []
        # Appended to without a lock: finalizers come here too.
        self.living: list[weakref.ref[Value]] = []
        self.make_key = chance.choice(
            [
                int,
                str,
                lambda number: (number, str(number)),
                lambda number: number + 0.5,
                lambda number: (1 << 70) + number,
                *[lambda number: Hostile(number, self)] * 3,
            ]
        )
        self.maxsize = chance.choice([1, 2, 5, 20, 100, None])
        self.options = self.choose_options()
        self.cache = self.make_cache()

    def choose_options(self) -> dict[str, Any]:
        chance = self.chance
        names = ["ttl", "weigher", "on_evict"]
        if self.kind != "mapping":
            names += ["tti", "stale", "jitter", "single_flight", "copy", "clock", "typed", "ignore"]
        chosen = {name for name in names if chance.random() < 0.3}
        if self.kind == "method":
            chosen.discard("ignore")
        if chosen & {"stale", "jitter"}:
            chosen.add("ttl")
        if not chosen & {"ttl", "tti"}:
            chosen.discard("clock")
        options: dict[str, Any] = {}
        for name in chosen:
            if name == "ttl":
                options[name] = chance.choice([0.001, 1, 5, lambda value: value.number % 5 or None])
            elif name in ("tti", "stale"):
                options[name] = chance.choice([0.001, 1, 5])
            elif name == "jitter":
                options[name] = 0.5
            elif name == "copy":
                options[name] = chance.choice([True, lambda value: Value(value.number)])
            elif name == "clock":
                options[name] = self.clock
            elif name == "weigher":
                options |= {"weigher": lambda value: value.number % 4, "maxweight": chance.choice([0, 5, 30])}
            elif name == "on_evict":
                options[name] = self.on_evict
            elif name == "ignore":
                options[name] = "ignored"
            else:
                options[name] = True
        return options

    def clock(self) -> float:
        return self.now

    def make_cache(self) -> Any:
        if self.kind == "mapping":
            return tamis.SieveCache(self.maxsize, **self.options)
        if self.kind == "method":
            game = self

            class Owner:
                @tamis.cached_method(self.maxsize, **self.options)
                def method(self, key: Any) -> Value:
                    return game.compute(key)

            self.owner = Owner()
            return Owner.method.cache_for(self.owner)

        @tamis.lru_cache(self.maxsize, **self.options)
        def function(key: Any, ignored: int = 0) -> Value:
            return self.compute(key)

        return function

    def compute(self, key: Any) -> Value:
        if self.chance.random() < 0.05:
            raise Refused
        self.misbehave()
        value = Value(self.number_of(key))
        self.living.append(weakref.ref(value))
        return value

    def number_of(self, key: Any) -> int:
        if isinstance(key, Hostile):
            return key.number
        number = int(key[0] if isinstance(key, tuple) else float(key) if isinstance(key, str) else key)
        return number - (1 << 70) if number > KEYS else number

    def on_evict(self, _key: Any, _value: Value, cause: str) -> None:
        assert cause in {"size", "expired", "invalidated", "replaced", "cleared"}
        with suppress(Refused):
            self.misbehave()

    def misbehave(self) -> None:
        """Use the cache from inside of it, give way to other threads, or raise."""
        depth = getattr(self.depth, "value", 0)
        if self.malice == 0.0 or depth > 3 or self.chance.random() > self.malice:
            return
        what = self.chance.randrange(8)
        if what == 0:
            raise Refused
        if what == 1:
            time.sleep(0)
            return
        self.depth.value = depth + 1
        try:
            with suppress(Refused, KeyError):
                self.operate(self.chance.randrange(KEYS))
        finally:
            self.depth.value = depth

    def check(self, number: int, value: Any) -> None:
        if value is not None and value.number != number:
            raise AssertionError(f"asked for {number}, got {value.number}")

    def operate(self, number: int) -> None:
        key = self.make_key(number)
        if self.kind == "mapping":
            self.operate_on_mapping(key, number)
        else:
            self.operate_on_function(key, number)

    def operate_on_function(self, key: Any, number: int) -> None:
        cache, what = self.cache, self.chance.randrange(100)
        if what < 60:
            more = (self.chance.randrange(3),) if "ignore" in self.options else ()
            self.check(number, cache(key, *more))
        elif what < 68:
            cache.cache_put(Value(number), key)
        elif what < 76:
            cache.cache_invalidate(key)
        elif what < 84:
            cache.cache_contains(key)
        elif what < 88:
            self.check(number, cache.cache_refresh(key))
        elif what < 90:
            cache.cache_clear()
        elif what < 94:
            self.check_bounds()
        elif what < 99:
            self.now += self.chance.choice([0.0, 0.1, 1.0])
        else:
            gc.collect()

    def operate_on_mapping(self, key: Any, number: int) -> None:
        cache, what = self.cache, self.chance.randrange(100)
        if what < 30:
            self.check(number, cache.get(key))
        elif what < 55:
            self.check(number, cache.get_or_compute(key, lambda: self.compute(key)))
        elif what < 70:
            cache[key] = Value(number)
        elif what < 76:
            self.check(number, cache.pop(key, None))
        elif what < 82:
            self.check(number, cache.setdefault(key, Value(number)))
        elif what < 86:
            assert isinstance(key in cache, bool)
        elif what < 90:
            del cache[key]
        elif what < 92:
            cache.clear()
        elif what < 94:
            for seen, value in cache.items():
                self.check(self.number_of(seen), value)
        elif what < 96:
            cache.popitem()
        else:
            self.check_bounds()

    def check_bounds(self) -> None:
        stats = self.cache.stats() if self.kind == "mapping" else self.cache.cache_stats()
        if self.maxsize is not None:
            assert stats["currsize"] <= self.maxsize, stats
        if "maxweight" in self.options:
            assert stats["weight"] <= self.options["maxweight"], stats

    def run(self, operations: int, barrier: threading.Barrier) -> None:
        try:
            barrier.wait()
            for _ in range(operations):
                with suppress(Refused, KeyError):
                    self.operate(self.chance.randrange(KEYS))
        except BaseException as error:
            self.errors.append(error)

    def finish(self) -> None:
        """Look at the cache that nobody else uses any more."""
        self.malice = 0.0
        self.check_bounds()
        if self.kind == "mapping":
            self.cache.clear()
        else:
            self.cache.cache_clear()
        stats = self.cache.stats() if self.kind == "mapping" else self.cache.cache_stats()
        assert stats["currsize"] == stats["weight"] == stats["hits"] == stats["misses"] == 0, stats
        gc.collect()
        # Without the GIL some wait in their slots, for a bounded while.
        if not _core.BUILD["free_threaded"]:
            left = sum(value() is not None for value in self.living)
            assert left == 0, f"{left} values of a cleared cache live"


def tell_unless_refused(unraisable: Any) -> None:
    """Say nothing of what callbacks raise on purpose."""
    if not isinstance(unraisable.exc_value, Refused):
        sys.__unraisablehook__(unraisable)


def play(chance: random.Random) -> str:
    game = Game(chance)
    threads = chance.choice([1, 2, 4, 8])
    operations = chance.choice([200, 2_000]) // threads
    barrier = threading.Barrier(threads)
    workers = [threading.Thread(target=game.run, args=(operations, barrier), daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if game.errors:
        raise game.errors[0]
    game.finish()
    options = ", ".join(game.options) or "plain"
    return f"{game.kind}, maxsize {game.maxsize}, {threads} threads, malice {game.malice}: {options}"


if __name__ == "__main__":
    sys.setswitchinterval(1e-5)
    sys.unraisablehook = tell_unless_refused
    main(__doc__ or "", play)
