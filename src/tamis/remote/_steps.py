"""What a miss of the near cache does, step by step, without saying how one waits: see ``_drivers.py``.

The steps are a generator. It yields what is to be done, gets what came of it, and returns the answer that the compiled
part keeps near. So a thread and a task do the same.
"""

from __future__ import annotations

import contextlib
import random
import time
from functools import partial

from tamis import _core
from tamis.remote._entries import LONGEST
from tamis.remote._errors import Away, Unreachable
from tamis.remote._requests import Refused, Send, running
from tamis.remote._scripts import CLAIM, LOOK, RELEASE, STORE

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, TypeAlias

    from tamis.remote._entries import Entries

    Answer = tuple[Any, int, "int | None", "int | None", "int | None", "int | None"]
    Step: TypeAlias = "Start | Send | Compute | Pause"
    Steps = Generator[Step, Any, Answer]

# Where a value is from, as the compiled part reads it.
COMPUTED, FOUND, STALE, INSTEAD_OF_ERROR = range(4)
# Seconds between two looks of one who waits for another's computation and is not told of its end.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5
# A wait for others ends after so many seconds at least, and so many times a lease: the one waited for may wait for us.
_ENOUGH, _ENOUGH_LEASES = 30.0, 3.0
_A_MILLISECOND = 1_000_000


class Start:
    """Begin to listen to the server. The first time that takes as long as a request may."""


class Compute:
    """Call the function."""


class Pause:
    """Wait until a key changes, or for so many seconds."""

    __slots__ = "digest", "is_over", "seconds"

    def __init__(self, digest: bytes, seconds: float, is_over: Callable[[], bool]) -> None:
        self.digest = digest
        self.seconds = seconds
        # Asked once the change is waited for: it may have come before.
        self.is_over = is_over


class Done:
    """There is nothing left to do."""

    __slots__ = ("answer",)

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


class Failed(Exception):
    """The function has raised an exception of its own."""


class Ended(BaseException):
    """The function was left by what is no Exception: a signal, a task that was cancelled."""


class Found:
    """A value of the server's: how long it is fresh and to be used, in nanoseconds from now on."""

    __slots__ = "fresh", "used", "used_without_error", "value"

    def __init__(self, value: Any, fresh: int, used_without_error: int, used: int) -> None:
        self.value = value
        self.fresh = fresh
        self.used_without_error = used_without_error
        self.used = used


class Call:
    """One miss."""

    def __init__(self, cache: Entries, wrapper: Any, key: bytes) -> None:
        self._cache = cache
        self._wrapper = wrapper
        self._place = cache.place(key)
        self._token = b""
        # The fence that was there before the function was called.
        self._fence = b""

    def steps(self, refresh: bool) -> Steps:
        """Return what there is to do. With ``refresh`` the function is called in any case."""
        try:
            if refresh:
                return (yield from self._refresh())
            return (yield from self._look_and_compute())
        except Exception:
            if self._token:
                yield from self._let_go()
            raise
        except BaseException:
            # A task that was cancelled, a signal: there is no time to wait for the server.
            if self._token:
                self._cache.link.give_back(self._place.lease, self._token)
            raise

    def _refresh(self) -> Steps:
        value = yield Compute()
        try:
            return (yield from self._keep(value, self._cache.leases.new_fence()))
        except Away:
            # Others go on with what they have.
            self._cache.changed(self._place)
            raise Unreachable("cache_refresh() could not store the result on the server") from None

    def _look_and_compute(self) -> Steps:
        cache = self._cache
        old: Found | None = None
        try:
            yield Start()
            found, ticket = yield from self._look()
            if found is not None:
                if found.fresh > 0:
                    return found.value, FOUND, found.fresh, found.used, *ticket
                old = found
                if not (yield from self._claim()) and found.used_without_error > 0:
                    return found.value, STALE, 0, found.used, *ticket
        except Away:
            return self._alone((yield Compute()))
        try:
            value = yield Compute()
        except Failed:
            if old is None or not cache.retry:
                raise
            # Its lease goes first, so that others may try.
            yield from self._let_go()
            fresh = min(cache.retry, old.used)
            return old.value, INSTEAD_OF_ERROR, fresh, old.used, *cache.ticket(self._place)
        try:
            return (yield from self._keep(value))
        except Away:
            return self._alone(value)

    def _look(self) -> Generator[Step, Any, tuple[Found | None, tuple[int, int]]]:
        """Find the value, or become the one who computes it, or wait until the one who does has."""
        cache, place = self._cache, self._place
        pause, until = _FIRST_PAUSE, 0.0
        while True:
            ticket = cache.ticket(place)
            found, is_anothers = yield from self._ask()
            if found is not None or not is_anothers:
                return found, ticket
            now = time.monotonic()
            until = until or now + max(_ENOUGH, _ENOUGH_LEASES * cache.link.lease)
            if now >= until:
                return None, ticket
            yield Pause(place.digest, pause * random.uniform(0.5, 1.0), partial(self._has_changed, ticket))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _has_changed(self, since: tuple[int, int]) -> bool:
        return self._cache.ticket(self._place) != since

    def _ask(self) -> Generator[Step, Any, tuple[Found | None, bool]]:
        cache, place = self._cache, self._place
        # From now on the lease may be there, whatever becomes of the request.
        self._token = token = cache.leases.new_token() if cache.single_flight else b""
        what, *rest = yield from cache.running(LOOK, place, token, cache.leases.milliseconds, cache.most_sealed)
        if what == b"lease":
            cache.leases.take(place.lease, token)
            return None, False
        self._token = b""
        if what == b"value":
            return self._opened(*rest), False
        if what == b"none":
            self._fence = rest[0]
        # A call inside of the computation that has the lease computes for itself.
        return None, what == b"other" and not cache.leases.is_own(place.lease, rest[0])

    def _opened(self, sealed: bytes, milliseconds: int) -> Found | None:
        cache = self._cache
        opened = cache.envelope.open(self._place.seal, sealed)
        if opened is None:
            return None
        stale, on_error, payload = opened
        value = cache.decoded(payload)
        if value is None:
            return None
        left = milliseconds * _A_MILLISECOND if milliseconds >= 0 else LONGEST
        fresh = left - stale * _A_MILLISECOND
        return Found(value[0], fresh, left - on_error * _A_MILLISECOND, left)

    def _claim(self) -> Generator[Step, Any, bool]:
        """Become the one who computes a stale value anew, unless another one is."""
        cache, place = self._cache, self._place
        self._token = token = cache.leases.new_token()
        what, *rest = yield from cache.running(CLAIM, place, token, cache.leases.milliseconds)
        if what == b"lease":
            cache.leases.take(place.lease, token)
            return True
        self._token = b""
        return what == b"other" and cache.leases.is_own(place.lease, rest[0])

    def _let_go(self) -> Generator[Step, Any, None]:
        """Give the lease back, if there is one."""
        token, self._token = self._token, b""
        if token:
            self._cache.leases.forget(self._place.lease)
            with contextlib.suppress(Away, Refused):
                yield from running(RELEASE, self._place.lease, token)

    def _keep(self, value: Any, new_fence: bytes = b"") -> Steps:
        """Store what was computed, unless it can't be or may not be, and answer with it."""
        cache = self._cache
        spans = _core._spans(self._wrapper, value, True)
        payload = None if spans is None else cache.encoded(value)
        if spans is None or payload is None:
            yield from self._let_go()
            return value, COMPUTED, None, None, None, None
        fresh, used = spans
        stored = yield from self._store(payload, fresh, used, new_fence)
        if not stored:
            return value, COMPUTED, None, None, None, None
        return value, COMPUTED, fresh, used, *stored

    def _store(
        self, payload: bytes, fresh: int | None, used: int | None, new_fence: bytes
    ) -> Generator[Step, Any, tuple[int, int] | None]:
        cache, place = self._cache, self._place
        ticket, token = cache.ticket(place), self._token
        sealed, milliseconds = cache.sealed(place, payload, fresh, used)
        who = b"p" + new_fence if new_fence else b"t" + token if token else b"f" + self._fence
        try:
            # What was begun before a clear is not of the epoch after it.
            what, *_ = yield from cache.running(
                STORE, place, who, sealed, milliseconds, cache.leases.fence_milliseconds, moves=bool(new_fence)
            )
        except Refused:
            # Read-only, or out of memory.
            raise Away from None
        finally:
            cache.leases.forget(place.lease)
        self._token = b""
        return ticket if what == b"stored" else None

    def _alone(self, value: Any) -> Answer:
        """What is kept in memory alone, while the server is away."""
        cache = self._cache
        spans = _core._spans(self._wrapper, value, True)
        if spans is None:
            return value, COMPUTED, None, None, None, None
        cache.count_error()
        fresh, used = spans
        tail = None if fresh is None or used is None else used - fresh
        fresh = cache.away if fresh is None else min(fresh, cache.away)
        return value, COMPUTED, fresh, fresh + (tail or 0), *cache.ticket(self._place, alone=True)
