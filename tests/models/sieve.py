"""SIEVE in plain Python, the way the paper tells it: what the caches are compared with.

Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024, algorithm 1. One queue: new entries go in at its head, and a hand
walks from its tail towards its head. Nothing here is fast, so that all of it can be checked by reading.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class Entry:
    """One entry of the queue; entries are told apart by identity."""

    key: Hashable
    value: Any
    visited: bool = False


class Sieve:
    """A cache of at most ``maxsize`` entries (None: no bound) that remembers whom it evicted.

    Keys are compared as a dict compares them, and the values are whatever the caller wants to find again.
    """

    def __init__(self, maxsize: int | None) -> None:
        self.maxsize = maxsize
        self.victims: list[Hashable] = []
        self.clear()

    def clear(self) -> None:
        """Drop all entries and zero the counts. The list of victims stays: dropped is not evicted."""
        self.entries: dict[Hashable, Entry] = {}
        self.queue: list[Entry] = []  # the head, where new entries come in, is at index 0
        self.hand: Entry | None = None  # None: start at the tail
        self.hits = self.misses = 0

    def call(self, key: Hashable, value: Any = None) -> bool:
        """Look the key up, and on a miss store the value. True for a hit."""
        entry = self.entries.get(key)
        if entry is not None:
            self.hits += 1
            entry.visited = True
            return True
        self.misses += 1
        self._insert(key, value)
        return False

    def put(self, key: Hashable, value: Any = None) -> None:
        """Store the value. An entry that is there keeps its place in the queue, and counts as visited."""
        entry = self.entries.get(key)
        if entry is None:
            self._insert(key, value)
        else:
            entry.value = value
            entry.visited = True

    def invalidate(self, key: Hashable) -> bool:
        """Drop one entry. True if it was there."""
        entry = self.entries.get(key)
        if entry is None:
            return False
        self._remove(entry)
        return True

    def contains(self, key: Hashable) -> bool:
        """Tell whether the key is there, without marking it."""
        return key in self.entries

    def value(self, key: Hashable) -> Any:
        """Return the value of a key that is there, without marking it."""
        return self.entries[key].value

    def keys(self) -> list[Hashable]:
        """All keys, the newest first."""
        return [entry.key for entry in self.queue]

    def _insert(self, key: Hashable, value: Any) -> None:
        if self.maxsize is not None and len(self.queue) == self.maxsize:
            self._evict()
        self.entries[key] = entry = Entry(key, value)
        self.queue.insert(0, entry)

    def _evict(self, spared: Hashable = None) -> None:
        """Drop the next victim. The hand passes over the entry of the key that is spared, if one is."""
        entry = self.hand or self.queue[-1]
        while entry.visited or (spared is not None and entry.key == spared):
            entry.visited = False
            entry = self._prev(entry) or self.queue[-1]
        self.hand = entry
        self._remove(entry)  # moves the hand off it, to its prev
        self.victims.append(entry.key)

    def _prev(self, entry: Entry) -> Entry | None:
        """Return the next entry towards the head."""
        at = self.queue.index(entry)
        return self.queue[at - 1] if at else None

    def _remove(self, entry: Entry) -> None:
        if self.hand is entry:
            self.hand = self._prev(entry)
        self.queue.remove(entry)
        del self.entries[entry.key]
