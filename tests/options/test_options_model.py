"""Caches with time, weight and eviction callbacks beside a plain model of them."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from helpers.option_tools import Evictions, Time
from models.sieve import Sieve
from tamis import lru_cache

KEY = st.integers(0, 9)
FOREVER = float("inf")
MAXWEIGHT = 12
RETRY = 2


@dataclass
class Terms:
    """Until when a value is fresh and how long it is kept, when it was last read, and what it weighs."""

    fresh_until: float
    kept_until: float
    read: float
    weight: int


class AgainstModel(RuleBasedStateMachine):
    """A cache with options beside SIEVE over entries that carry their terms."""

    @initialize(
        maxsize=st.integers(1, 6),
        ttl=st.sampled_from([FOREVER, 3, 10]),
        tti=st.sampled_from([FOREVER, 4]),
        stale=st.sampled_from([0, 2]),
        on_error=st.sampled_from([0, 5]),
        weighs=st.booleans(),
    )
    def make(self, maxsize, ttl, tti, stale, on_error, weighs):
        self.time, self.left, self.told = Time(), Evictions(), []
        self.ttl, self.tti, self.stale = ttl, tti, stale if ttl != FOREVER else 0
        self.on_error = on_error if ttl != FOREVER else 0
        self.fails, self.errors = False, 0
        self.maxweight = MAXWEIGHT if weighs else FOREVER
        options = {"on_evict": self.left}
        if ttl != FOREVER or tti != FOREVER:
            options["clock"] = self.time
        if ttl != FOREVER:
            options |= {"ttl": ttl, "stale": stale or None}
            options |= {"stale_if_error": on_error, "retry": RETRY} if on_error else {}
        if tti != FOREVER:
            options["tti"] = tti
        if weighs:
            options |= {"weigher": lambda value: value[1], "maxweight": MAXWEIGHT}
        self.made, self.next_weight = [], 1
        self.function = lru_cache(maxsize=maxsize, **options)(self.compute)
        self.model = Sieve(maxsize)

    def compute(self, key):
        self.made.append(key)
        if self.fails:
            raise ZeroDivisionError
        return (key, self.next_weight)

    # The model: what the documentation says, in plain steps.

    def age(self, key):
        terms, now = self.model.value(key), self.time.now
        if now - terms.read >= self.tti or now >= terms.kept_until:
            return "expired"
        if now < terms.fresh_until:
            return "fresh"
        return "stale" if now < terms.fresh_until + self.stale else "kept"

    def is_there(self, key):
        return self.model.contains(key) and self.age(key) in ("fresh", "stale")

    def weight(self):
        return sum(entry.value.weight for entry in self.model.queue)

    def tell(self, key, cause):
        """Note that the entry is about to leave for this cause, or because it is too old."""
        self.told.append((key, "expired" if self.age(key) == "expired" else cause))

    def evict(self, spared=None):
        before = {entry.key: ("expired" if self.age(entry.key) == "expired" else "size") for entry in self.model.queue}
        self.model._evict(spared)
        self.told.append((self.model.victims[-1], before[self.model.victims[-1]]))

    def store(self, key, weight):
        fresh_until = self.time.now + self.ttl
        kept_until = fresh_until + self.stale + self.on_error
        terms = Terms(fresh_until, kept_until, self.time.now, weight if self.maxweight != FOREVER else 0)
        if terms.weight > self.maxweight:
            if self.model.contains(key):
                self.tell(key, "replaced")
                self.model.invalidate(key)
            return
        if self.model.contains(key):
            self.tell(key, "replaced")
            self.model.put(key, terms)
            while self.weight() > self.maxweight:
                self.evict(spared=key)
            return
        while self.weight() + terms.weight > self.maxweight:
            self.evict()
        if len(self.model.queue) == self.model.maxsize:
            self.evict()
        self.model.put(key, terms)

    # What is done to both.

    @rule(key=KEY, weight=st.integers(0, 14))
    def call(self, key, weight):
        self.made.clear()
        self.next_weight = weight
        there = self.model.contains(key)
        age = self.age(key) if there else "expired"
        assert self.function(key)[0] == key
        assert self.made == ([] if age == "fresh" else [key])
        if there:
            self.model.entries[key].visited = True
        if age != "expired":
            self.model.value(key).read = self.time.now
        if age != "fresh":
            self.store(key, weight)

    @rule(key=KEY)
    def call_that_fails(self, key):
        self.made.clear()
        there = self.model.contains(key)
        age = self.age(key) if there else "expired"
        self.fails = True
        try:
            assert self.function(key)[0] == key
            returned = True
        except ZeroDivisionError:
            returned = False
        self.fails = False
        assert self.made == ([] if age == "fresh" else [key])
        assert returned is (age == "fresh" or (age != "expired" and self.on_error > 0))
        if there:
            self.model.entries[key].visited = True
        if age != "expired":
            self.model.value(key).read = self.time.now
        if returned and age != "fresh":
            self.errors += 1
            terms = self.model.value(key)
            terms.fresh_until = min(self.time.now + RETRY, terms.kept_until)

    @rule(key=KEY, weight=st.integers(0, 14))
    def put(self, key, weight):
        self.function.cache_put((key, weight), key)
        self.store(key, weight)

    @rule(seconds=st.integers(1, 6))
    def wait(self, seconds):
        self.time.now += seconds

    @rule(key=KEY)
    def invalidate(self, key):
        there = self.is_there(key)
        assert self.function.cache_invalidate(key) is there
        if self.model.contains(key):
            self.tell(key, "invalidated")
            self.model.invalidate(key)

    @rule()
    def clear(self):
        self.function.cache_clear()
        self.errors = 0
        self.told += [(entry.key, "cleared") for entry in self.model.queue]
        self.model.clear()

    @invariant()
    def same_entries(self):
        if not hasattr(self, "model"):
            return
        for key in range(10):
            assert self.function.cache_contains(key) is self.is_there(key)
        stats = self.function.cache_stats()
        assert stats["currsize"] == len(self.model.queue)
        assert stats["weight"] == self.weight()
        assert stats.get("errors") == (self.errors if self.on_error else None)

    @invariant()
    def same_tales(self):
        if hasattr(self, "model"):
            told = [(key, cause) for key, _, cause in self.left]
            assert sorted(told) == sorted(self.told)
            assert all(value[0] == key for key, value, _ in self.left)


TestAgainstModel = AgainstModel.TestCase
TestAgainstModel.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
