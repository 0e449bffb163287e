"""Cached coroutine functions with options by chance, awaited by tasks of loops in threads, some of which are cancelled.

`python tests/fuzz/coroutines.py --seconds 600` plays for ten minutes.

Checked are: the value of each await, that every task ends, the bounds, and that nothing is left in flight.
"""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import warnings
from typing import Any

from driver import main

import tamis

KEYS = 12
# Nothing waits for longer than some milliseconds: a task that takes this long hangs.
PATIENCE = 60.0


class Refused(Exception):
    """What the function raises by chance."""


class Game:
    """One cached coroutine function, and what its tasks do with it."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.maxsize = chance.choice([0, 1, 3, 100, None])
        self.options: dict[str, Any] = {}
        if chance.random() < 0.4:
            self.options["ttl"] = chance.choice([0.001, 0.01, 60])
            if chance.random() < 0.5:
                self.options["stale"] = chance.choice([0.001, 60])
        if chance.random() < 0.2:
            self.options["tti"] = 0.002
        if chance.random() < 0.2:
            self.options["copy"] = True
        if chance.random() < 0.2:
            self.options["single_flight"] = False
        if chance.random() < 0.2:
            self.options["on_evict"] = lambda key, value, cause: None
        if chance.random() < 0.2:
            self.options |= {"weigher": lambda value: value[0] % 3, "maxweight": 4}
        self.nests = chance.random() < 0.4
        self.cancelled = self.errors = 0
        game = self

        @tamis.lru_cache(self.maxsize, **self.options)
        async def function(number: int) -> list[int]:
            return await game.compute(number)

        class Owner:
            @tamis.cached_method(self.maxsize, **self.options)
            async def method(self, number: int) -> list[int]:
                return await game.compute(number)

        self.owner = Owner()
        self.is_method = chance.random() < 0.3
        self.cache: Any = Owner.method.cache_for(self.owner) if self.is_method else function

    async def compute(self, number: int) -> list[int]:
        what = self.chance.randrange(20)
        if what == 0:
            raise Refused
        if what < 8:
            await asyncio.sleep(self.chance.random() / 500)
        elif what < 12:
            await asyncio.sleep(0)
        if self.nests and what > 10:
            # Rings of flights: nobody may wait for ever.
            other = self.chance.randrange(KEYS)
            value = await self.cache(other)
            assert value[0] == other
        return [number]

    async def operate(self, number: int) -> None:
        cache, what = self.cache, self.chance.randrange(100)
        if what < 80:
            value = await cache(number)
            assert value[0] == number, (value, number)
        elif what < 84:
            assert (await cache.cache_refresh(number))[0] == number
        elif what < 88:
            cache.cache_put([number], number)
        elif what < 92:
            cache.cache_invalidate(number)
        elif what < 94:
            cache.cache_clear()
        elif what < 96:
            # Never awaited.
            cache(number).close()
        else:
            stats = cache.cache_stats()
            assert self.maxsize is None or stats["currsize"] <= self.maxsize, stats
            assert stats["weight"] <= 4, stats

    async def task(self, operations: int) -> None:
        for _ in range(operations):
            try:
                await self.operate(self.chance.randrange(KEYS))
            except Refused:
                self.errors += 1

    async def loop(self, tasks: int, operations: int) -> None:
        running = [asyncio.ensure_future(self.task(operations)) for _ in range(tasks)]
        for _ in range(self.chance.randrange(tasks)):
            await asyncio.sleep(self.chance.random() / 200)
            self.chance.choice(running).cancel()
        done, pending = await asyncio.wait(running, timeout=PATIENCE)
        assert not pending, f"{len(pending)} tasks hang: {pending}"
        for task in done:
            if task.cancelled():
                self.cancelled += 1
            elif task.exception():
                raise task.exception()


def play(chance: random.Random) -> str:
    game = Game(chance)
    loops, tasks, operations = chance.choice([1, 1, 2, 4]), chance.choice([1, 3, 20]), chance.choice([5, 30])
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(game.loop(tasks, operations))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(loops)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    # Nothing is in flight any more: each key is computed, or there.
    for number in range(KEYS):
        game.nests = False
        for _ in range(200):
            try:
                assert asyncio.run(asyncio.wait_for(game.cache(number), PATIENCE)) == [number]
                break
            except Refused:
                pass
    game.cache.cache_clear()
    gc.collect()
    kind = "method" if game.is_method else "function"
    ends = f"{game.cancelled} cancelled, {game.errors} errors"
    options = ", ".join(game.options) or "plain"
    return f"{kind}, maxsize {game.maxsize}, {loops} loops of {tasks} tasks, {ends}: {options}"


if __name__ == "__main__":
    # Coroutines that were never awaited are part of the game.
    warnings.simplefilter("ignore")
    main(__doc__ or "", play)
