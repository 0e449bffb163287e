"""What a call of a cached coroutine function does when its result is not there.

Hits never come here. A call is a small object of the compiled part that knows its arguments, their key and their cache.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

_VALUE, _ERROR, _ABANDONED = range(3)
# Which of these, the value or the error, and the error's traceback where it left the leader.
_Outcome = tuple[int, Any, Any]


class _Led:
    """What contexts remember of a flight. They may outlive it by far, and are not to keep its outcome."""

    __slots__ = ("landed", "leased", "waits_for")

    def __init__(self) -> None:
        self.landed = False
        self.leased = False  # other processes may wait for it
        # One for each task that waits, so that one may stop while others go on.
        self.waits_for: list[_Led] = []


class _Flight:
    """One computation that tasks wait for, of any loop in any thread."""

    __slots__ = ("led", "outcome", "process", "thread", "waiters")

    def __init__(self) -> None:
        self.led = _Led()
        self.outcome: _Outcome | None = None
        self.process = os.getpid()
        self.thread = threading.get_ident()
        self.waiters: list[tuple[Any, Any]] = []  # loops and their futures

    def land(self, outcome: _Outcome) -> None:
        with _lock:
            self.outcome = outcome
            self.led.landed = True
            waiters, self.waiters = self.waiters, []
        running = _running_loop()
        for loop, future in waiters:
            if loop is running:
                if not future.done():
                    future.set_result(outcome)
                continue
            with suppress(RuntimeError):  # that loop is closed, and its tasks with it
                loop.call_soon_threadsafe(_deliver, future, outcome)


# Guards the flights' fields. Held for a few lines; but the collector may run at any of them, and close coroutines that
# lead or wait, which take it too.
_lock = threading.RLock()
# The flights that the running task leads, and those that it was started under.
_leading: ContextVar[tuple[_Led, ...]] = ContextVar("tamis_leading", default=())


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _deliver(future: Any, outcome: _Outcome) -> None:
    if not future.done():
        # A result even for errors: nobody is told of one that nobody waits for any more.
        future.set_result(outcome)


def _running_loop() -> Any:
    """Return asyncio's running loop, or None: another library's loop runs, or none."""
    events = sys.modules.get("asyncio.events")
    return None if events is None else events._get_running_loop()


def _waits_for_one_of(led: _Led, own: tuple[_Led, ...]) -> bool:
    """Tell whether the flight waits, over however many others, for one of these."""
    reached, at = [led], 0
    while at < len(reached):
        if reached[at] in own:
            return True
        # A copy: the collector may end a wait meanwhile.
        reached.extend(other for other in tuple(reached[at].waits_for) if other not in reached)
        at += 1
    return False


def _is_awaited_elsewhere(own: tuple[_Led, ...]) -> bool:
    """Tell whether other processes may wait for one of these: then it waits for nobody, so that no ring can close."""
    return any(led.leased for led in own)


async def _outcome_over_threads(call: Any, leader: _Flight, loop: Any) -> _Outcome | None:
    """As `_outcome_of`, where another thread leads: that may sleep until this thread is through with something else."""
    if not call.begin_wait(leader.thread):
        return None
    try:
        return await _outcome_of(leader, loop)
    finally:
        call.end_wait(leader.thread)


async def _outcome_of(leader: _Flight, loop: Any) -> _Outcome | None:
    """Wait for the flight to land. None if this task has to compute for itself: the flight waits for it."""
    own = _leading.get()
    future: asyncio.Future[_Outcome] = loop.create_future()
    waiter = (loop, future)
    with _lock:
        for led in own:
            led.waits_for.append(leader.led)
    try:
        with _lock:
            if own and (_waits_for_one_of(leader.led, own) or _is_awaited_elsewhere(own)):
                return None
            # Last, with nothing in between: the flight may land where the collector runs.
            if leader.outcome is not None:
                return leader.outcome
            leader.waiters.append(waiter)
        return await future
    finally:
        with _lock:
            if waiter in leader.waiters:
                leader.waiters.remove(waiter)
            for led in own:
                led.waits_for.remove(leader.led)


async def run(call: Any) -> Any:
    """Compute the call's result, or wait for the task that does."""
    loop = _running_loop()
    if loop is None or not call.coalesces():
        return call.returned(await _compute(call, None))
    while True:
        leader = call.find()
        if leader is None:
            flight = _Flight()
            leader = call.join(flight)
            if leader is None:
                leading = _lead(call, flight)
                del flight  # which knows an error that knows this frame
                return await leading
        if leader.process != os.getpid():
            # Its task was left behind by a fork.
            call.leave(leader)
            continue
        try:
            if leader.thread == threading.get_ident():
                outcome = await _outcome_of(leader, loop)
            else:
                outcome = await _outcome_over_threads(call, leader, loop)
        except BaseException:
            call.miss()
            raise
        if outcome is None:
            return call.returned(await _compute(call, None))
        kind, result, traceback = outcome
        if kind == _VALUE:
            call.coalesced(True)
            return call.copied(result)
        if kind == _ERROR:
            call.coalesced(False)
            try:
                # As it left the leader: it does not grow with those who waited.
                raise result.with_traceback(traceback)
            finally:
                del leader, outcome, result, traceback  # as above
        # Its leader was called off: one of those who waited leads now.


async def _wait_for_lease(call: Any, led: _Led, has_it: bool) -> tuple[Any] | None:
    """Wait until this process alone computes the call, or get what another one has stored."""
    pause = 0.001
    own = _leading.get()
    while not has_it:
        if _is_awaited_elsewhere(own):
            return None
        await sys.modules["asyncio"].sleep(pause)
        pause = min(2 * pause, 0.05)
        found: tuple[Any] | None = call.peek()
        if found is not None:
            return found
        answer = call.lease()
        if answer is None:
            return None
        has_it = answer
    led.leased = True
    stored: tuple[Any] | None = call.peek()
    return stored


async def _lead(call: Any, flight: _Flight) -> Any:
    outcome: _Outcome = (_ABANDONED, None, None)
    token = _leading.set((*(led for led in _leading.get() if not led.landed), flight.led))
    try:
        found = call.peek()
        if found is None and (has_it := call.lease()) is not None:
            found = await _wait_for_lease(call, flight.led, has_it)
        if found is not None:
            # Another flight has landed since the call was made, or another process was first.
            outcome = (_VALUE, found[0], None)
            return call.copied(found[0])
        value = await _compute(call, flight)
        outcome = (_VALUE, value, None)
        return call.returned(value)
    except Exception as error:
        if outcome[0] == _ABANDONED:
            outcome = (_ERROR, error, error.__traceback__)
        raise
    finally:
        call.end_lease()
        # First, so that nobody joins who comes after the outcome.
        call.leave(flight)
        flight.land(outcome)
        with suppress(ValueError):  # closed from another context
            _leading.reset(token)
        del flight, outcome  # an error knows this frame


async def _compute(call: Any, flight: _Flight | None) -> Any:
    call.miss()
    try:
        value = await call.invoke()
        # Invalidating, putting and clearing take a flight out, whose result is of before that.
        if flight is None or call.leads(flight):
            call.store(value)
    finally:
        # If a stale entry is still there, another caller is to try.
        call.settled()
        del flight  # which will know an error that knows this frame
    return value


async def refresh(call: Any) -> Any:
    """Call the function, and store its result whatever is there."""
    value = await call.invoke()
    call.store(value, True)
    return call.returned(value)
