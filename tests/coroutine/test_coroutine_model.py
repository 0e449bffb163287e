"""Flights of tasks beside a plain model: who computes, who waits, and what each of them gets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tamis import cache

KEY = st.integers(0, 2)
PICK = st.integers(0, 99)


@dataclass(eq=False)
class Flight:
    """One computation: the task that computes, the future it waits for, and those who wait for the task."""

    key: int
    leader: asyncio.Task
    gate: asyncio.Future
    followers: list[asyncio.Task] = field(default_factory=list)
    is_open: bool = True  # whether those who call now join it


class Flights(RuleBasedStateMachine):
    """Tasks of one loop that call one cached coroutine function."""

    @initialize()
    def make(self):
        self.loop = asyncio.new_event_loop()
        self.loop.set_debug(True)
        self.complaints = []
        self.loop.set_exception_handler(lambda loop, context: self.complaints.append(context))
        self.begun: list[tuple[int, asyncio.Task, asyncio.Future]] = []
        self.flights: list[Flight] = []
        self.stored: dict[int, object] = {}
        self.expected: list[tuple[asyncio.Task, object]] = []
        self.function = cache(self.compute)

    def teardown(self):
        if not hasattr(self, "loop"):
            return
        for flight in self.flights:
            for task in [*flight.followers, flight.leader]:
                task.cancel()
        self.settle()
        self.loop.close()

    async def compute(self, key):
        gate = asyncio.get_running_loop().create_future()
        self.begun.append((key, asyncio.current_task(), gate))
        return await gate

    def settle(self):
        async def pass_by():
            for _ in range(10):
                await asyncio.sleep(0)

        self.loop.run_until_complete(pass_by())

    def take_off(self, key, task):
        """Expect that the task, and nobody else, has begun to compute."""
        begun, self.begun = self.begun, []
        assert [(key, task)] == [(key, task) for key, task, _ in begun]
        self.flights.append(Flight(key, task, begun[0][2]))
        return self.flights[-1]

    def open_flight(self, key):
        return next((flight for flight in self.flights if flight.key == key and flight.is_open), None)

    async def call(self, key):
        return await self.function(key)

    @rule(key=KEY)
    def begin(self, key):
        task = self.loop.create_task(self.call(key))
        self.settle()
        if key in self.stored:
            self.expected.append((task, self.stored[key]))
        elif (flight := self.open_flight(key)) is not None:
            flight.followers.append(task)
        else:
            self.take_off(key, task)

    @rule(pick=PICK, fails=st.booleans())
    def land(self, pick, fails):
        if not self.flights:
            return
        flight = self.flights.pop(pick % len(self.flights))
        result = LookupError(pick) if fails else [pick]
        if fails:
            flight.gate.set_exception(result)
        else:
            flight.gate.set_result(result)
            if flight.is_open:  # what was invalidated or put meanwhile is not older than the result
                self.stored[flight.key] = result
        self.settle()
        self.expected += [(task, result) for task in [flight.leader, *flight.followers]]

    @rule(pick=PICK)
    def cancel_leader(self, pick):
        if not self.flights:
            return
        flight = self.flights.pop(pick % len(self.flights))
        flight.leader.cancel()
        self.settle()
        self.expected.append((flight.leader, asyncio.CancelledError))
        if not flight.followers:
            return
        if (other := self.open_flight(flight.key)) is not None:
            other.followers += flight.followers
        elif flight.key in self.stored:
            self.expected += [(task, self.stored[flight.key]) for task in flight.followers]
        else:
            self.take_off(flight.key, flight.followers[0]).followers = flight.followers[1:]

    @rule(pick=PICK, other=PICK)
    def cancel_follower(self, pick, other):
        if not self.flights:
            return
        followers = self.flights[pick % len(self.flights)].followers
        if followers:
            task = followers.pop(other % len(followers))
            task.cancel()
            self.settle()
            self.expected.append((task, asyncio.CancelledError))

    @rule(key=KEY)
    def invalidate(self, key):
        assert self.function.cache_invalidate(key) is (self.stored.pop(key, None) is not None)
        self.close(key)

    @rule(key=KEY, value=PICK)
    def put(self, key, value):
        self.stored[key] = value = [value]
        self.function.cache_put(value, key)
        self.close(key)

    @rule()
    def clear(self):
        self.function.cache_clear()
        self.stored.clear()
        for flight in self.flights:
            flight.is_open = False

    def close(self, key):
        """From now on nobody joins the flight of this key."""
        flight = self.open_flight(key)
        if flight is not None:
            flight.is_open = False

    @invariant()
    def each_task_got_its_own(self):
        if not hasattr(self, "loop"):
            return
        assert self.begun == []
        assert self.complaints == []
        for task, result in self.expected:
            assert task.done()
            if result is asyncio.CancelledError:
                assert task.cancelled()
            elif isinstance(result, LookupError):
                assert task.exception() is result
            else:
                assert task.result() is result
        self.expected.clear()
        for flight in self.flights:
            assert not any(task.done() for task in [flight.leader, *flight.followers])


TestFlights = Flights.TestCase
TestFlights.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
