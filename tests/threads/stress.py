"""Threads in caches for as long as you like: `python tests/threads/stress.py --seconds 600 --threads 16`.

Each round makes a cache of some size, keys of some kind and a number of threads, all by chance, and lets the threads
call it while others clear it, look at it, invalidate, put and refresh entries. Checked are: the value of each call, the
bound, the counts once the threads have ended, and at the end the memory, which must not have grown after the first
rounds.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import threading
import time
import traceback
from pathlib import Path

from tamis import lru_cache

SIZES = (1, 2, 7, 64, 1_000, 10_000, None)


class Text(str):
    """A `str` whose comparison is Python code."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other):
        return str.__eq__(self, other)


class Yielding:
    """A key whose comparison gives way to other threads, and which shares its hash with others."""

    __slots__ = ("number",)

    def __init__(self, number):
        self.number = number

    def __hash__(self):
        return self.number % 16

    def __eq__(self, other):
        time.sleep(0)
        return isinstance(other, Yielding) and self.number == other.number


class Refused(Exception):
    """What the function raises for some keys."""


class Value:
    """A value whose finalizer calls the cache that it was in."""

    __slots__ = ("cache", "number")

    def __init__(self, cache, number):
        self.cache = cache
        self.number = number

    def __del__(self):
        self.cache().cache_contains(self.number)


# How a key is made of a number.
KEYS = {
    "int": int,
    "large int": lambda number: (1 << 80) + number,
    "str": lambda number: f"key {number}",
    "long str": lambda number: f"a key that is longer than any short way: {number}",
    "float": lambda number: number + 0.25,
    "bytes": lambda number: b"%d" % number,
    "tuple": lambda number: (number, str(number)),
    "str subclass": lambda number: Text(number),
    "yielding": Yielding,
}


class Round:
    """One cache, and what its threads do."""

    def __init__(self, seed, seconds, threads):
        chance = random.Random(seed)
        self.kind = chance.choice(list(KEYS))
        self.maxsize = chance.choice(SIZES[:4] if self.kind == "yielding" else SIZES)
        self.threads = chance.randint(2, threads)
        self.typed = chance.random() < 0.2
        self.finalizers = chance.random() < 0.3
        self.keys = max(3, (self.maxsize or 500) * chance.choice((1, 2, 5)) // chance.choice((1, 2)))
        self.seconds = seconds
        self.seed = seed
        self.errors = []
        self.calls = 0
        self.counting = threading.Lock()
        self.cleared = False
        self.done = threading.Event()
        make = KEYS[self.kind]

        @lru_cache(maxsize=self.maxsize, typed=self.typed)
        def cached(key, number, word=None):
            if number % 31 == 30:
                raise Refused(number)
            return Value(lambda: cached, number) if self.finalizers else [number]

        self.cached = cached
        self.make = make

    def __str__(self):
        return (
            f"{self.kind} keys, {self.keys} of them, maxsize {self.maxsize}, {self.threads} threads"
            f"{', typed' * self.typed}{', finalizers' * self.finalizers} (seed {self.seed})"
        )

    def call(self, number, word):
        try:
            value = self.cached(self.make(number), number, **word)
        except Refused as error:
            if number % 31 != 30 or error.args != (number,):
                raise AssertionError(f"an error of another key: {error}, {number}") from None
            return
        assert (value.number if self.finalizers else value[0]) == number

    def work(self, seed):
        chance = random.Random(seed)
        calls = 0
        while not self.done.is_set():
            for _ in range(50):
                # Most calls go to few keys, so that there are hits.
                number = chance.randrange(self.keys if chance.random() < 0.3 else max(1, self.keys // 10))
                self.call(number, {"word": 1} if chance.random() < 0.1 else {})
                calls += 1
        with self.counting:
            self.calls += calls

    def disturb(self, seed):
        chance = random.Random(seed)
        cached = self.cached
        while not self.done.is_set():
            number = chance.randrange(self.keys)
            if number % 31 == 30:
                continue
            key = self.make(number)
            what = chance.randrange(40)
            if what == 0:
                self.cleared = True
                cached.cache_clear()
            elif what < 10:
                cached.cache_invalidate(key, number)
            elif what < 14:
                cached.cache_refresh(key, number)
            elif what < 18:
                cached.cache_put(Value(lambda: cached, number) if self.finalizers else [number], key, number)
            else:
                cached.cache_contains(key, number)
            time.sleep(0.0001)

    def watch(self):
        while not self.done.is_set():
            info = self.cached.cache_info()
            assert self.maxsize is None or info.currsize <= self.maxsize, info
            time.sleep(0)

    def guarded(self, work, *args):
        try:
            work(*args)
        except BaseException:
            self.errors.append(traceback.format_exc())
            self.done.set()

    def run(self):
        jobs = [(self.work, self.seed * 100 + number) for number in range(self.threads)]
        jobs += [(self.disturb, self.seed), (self.watch,)]
        running = [threading.Thread(target=self.guarded, args=job) for job in jobs]
        for thread in running:
            thread.start()
        self.done.wait(self.seconds)
        self.done.set()
        for thread in running:
            thread.join()
        assert not self.errors, f"{self}\n{self.errors[0]}"
        info = self.cached.cache_info()
        if not self.cleared:
            assert info.hits + info.misses == self.calls, (str(self), info, self.calls)
        self.cached.cache_clear()
        assert self.cached.cache_info().currsize == 0


def resident():
    """Megabytes of memory that this process has."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS here")


def main():
    parser = argparse.ArgumentParser(description="Threads in caches for as long as you like.")
    parser.add_argument("--seconds", type=float, default=60, help="for how long (default: 60)")
    parser.add_argument("--round", type=float, default=1, help="seconds of one round (default: 1)")
    parser.add_argument("--threads", type=int, default=16, help="threads in a round, at most (default: 16)")
    parser.add_argument("--seed", type=int, default=1, help="of the first round; the next ones count up (default: 1)")
    options = parser.parse_args()
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        sys.setswitchinterval(1e-5)
    end = time.monotonic() + options.seconds
    seed, memory = options.seed, []
    while time.monotonic() < end:
        Round(seed, options.round, options.threads).run()
        gc.collect()
        memory.append(resident())
        print(f"{seed}: {memory[-1]:.0f} MB", flush=True)
        seed += 1
    # The first third fills CPython's own pools.
    settled, last = memory[len(memory) // 3 :][: len(memory) // 3], memory[-(len(memory) // 3) :]
    if len(memory) >= 30:
        assert min(last) < max(settled) * 1.2 + 20, f"memory has grown: {memory}"
    print(f"done: {len(memory)} rounds")


if __name__ == "__main__":
    main()
