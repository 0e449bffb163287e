"""What a call of a cached coroutine function does when its result is not there.

Hits never come here. A call is a small object of the compiled part that knows its arguments, their key and their cache.
"""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

_VALUE, _ERROR, _ABANDONED = range(3)
_Outcome = tuple[int, Any]


class _Flight:
    """One computation that tasks wait for, of any loop in any thread."""

    __slots__ = ("leased", "outcome", "waiters", "waits_for")

    def __init__(self) -> None:
        self.outcome: _Outcome | None = None
        self.waiters: list[tuple[Any, Any]] = []  # loops and their futures
        self.waits_for: set[_Flight] = set()
        self.leased = False  # other processes may wait for it

    def land(self, outcome: _Outcome) -> None:
        with _lock:
            self.outcome = outcome
            waiters, self.waiters = self.waiters, []
        running = _running_loop()
        for loop, future in waiters:
            if loop is running:
                if not future.done():
                    future.set_result(outcome)
                continue
            with suppress(RuntimeError):  # that loop is closed, and its tasks with it
                loop.call_soon_threadsafe(_deliver, future, outcome)


# Guards the flights' fields. Held for a few lines that run no code of others.
_lock = threading.Lock()
# The flights that the running task leads, and those that it was started under.
_leading: ContextVar[tuple[_Flight, ...]] = ContextVar("tamis_leading", default=())


def _deliver(future: Any, outcome: _Outcome) -> None:
    if not future.done():
        # A result even for errors: nobody is told of one that nobody waits for any more.
        future.set_result(outcome)


def _running_loop() -> Any:
    """Return asyncio's running loop, or None: another library's loop runs, or none."""
    events = sys.modules.get("asyncio.events")
    return None if events is None else events._get_running_loop()


def _waits_for_one_of(flight: _Flight, own: tuple[_Flight, ...]) -> bool:
    """Tell whether the flight waits, over however many others, for one of these."""
    reached, at = [flight], 0
    while at < len(reached):
        if reached[at] in own:
            return True
        reached.extend(other for other in reached[at].waits_for if other not in reached)
        at += 1
    return False


async def _outcome_of(leader: _Flight, loop: Any) -> _Outcome | None:
    """Wait for the flight to land. None if this task has to compute for itself: the flight waits for it."""
    own = _leading.get()
    with _lock:
        if leader.outcome is not None:
            return leader.outcome
        if own:
            if _waits_for_one_of(leader, own) or _is_awaited_elsewhere(own):
                return None
            for flight in own:
                flight.waits_for.add(leader)
        future: asyncio.Future[_Outcome] = loop.create_future()
        waiter = (loop, future)
        leader.waiters.append(waiter)
    try:
        return await future
    except BaseException:
        with _lock:
            if waiter in leader.waiters:
                leader.waiters.remove(waiter)
        raise
    finally:
        if own:
            with _lock:
                for flight in own:
                    flight.waits_for.discard(leader)


def _is_awaited_elsewhere(own: tuple[_Flight, ...]) -> bool:
    """Tell whether other processes may wait for one of these: then it waits for nobody, so that no ring can close."""
    return any(flight.leased for flight in own)


async def _ask_for_lease(call: Any, flight: _Flight) -> _Outcome | None:
    """See to it that this process alone computes the call, or get what another one has stored."""
    pause = 0.001
    own = _leading.get()
    while (answer := call.lease()) is False and not _is_awaited_elsewhere(own):
        await sys.modules["asyncio"].sleep(pause)
        pause = min(2 * pause, 0.05)
        found = call.peek()
        if found is not None:
            return _VALUE, found[0]
    flight.leased = answer is True
    if flight.leased and (found := call.peek()) is not None:
        return _VALUE, found[0]
    return None


async def run(call: Any) -> Any:
    """Compute the call's result, or wait for the task that does."""
    loop = _running_loop()
    if loop is None or not call.coalesces():
        return await _compute(call)
    while True:
        leader = call.find()
        if leader is None:
            flight = _Flight()
            leader = call.join(flight)
            if leader is None:
                return await _lead(call, flight)
        outcome = await _outcome_of(leader, loop)
        if outcome is None:
            return await _compute(call)
        kind, result = outcome
        if kind == _VALUE:
            call.coalesced(True)
            return call.copied(result)
        if kind == _ERROR:
            call.coalesced(False)
            raise result
        # Its leader was called off: one of those who waited leads now.


async def _lead(call: Any, flight: _Flight) -> Any:
    outcome: _Outcome = (_ABANDONED, None)
    token = None
    # All of it, since others may wait for the flight already: looking may run an `__eq__` or a serializer that raises.
    try:
        found = call.peek()
        # If it is there, another flight has landed since the call was made.
        stored = (_VALUE, found[0]) if found is not None else await _ask_for_lease(call, flight)
        if stored is None:
            token = _leading.set((*_leading.get(), flight))
            value = await _compute(call)
            outcome = (_VALUE, value)
        else:
            outcome = stored
            value = stored[1]
    except Exception as error:
        outcome = (_ERROR, error)
        raise
    finally:
        call.end_lease()
        # First, so that nobody joins who comes after the outcome.
        call.leave(flight)
        flight.land(outcome)
        if token is not None:
            with suppress(ValueError):  # closed from another context
                _leading.reset(token)
    return value if stored is None else call.copied(value)


async def _compute(call: Any) -> Any:
    call.miss()
    try:
        value = await call.invoke()
        call.store(value)
    finally:
        # If a stale entry is still there, another caller is to try.
        call.settled()
    return value


async def refresh(call: Any) -> Any:
    """Call the function, and store its result whatever is there."""
    value = await call.invoke()
    call.store(value, True)
    return value
