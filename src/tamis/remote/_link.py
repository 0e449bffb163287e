"""What a process has of one server: connections, the thread that listens, the watch of near entries, and leases."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

from tamis import _core
from tamis.remote._errors import Away
from tamis.remote._leases import Leases
from tamis.remote._listener import Listener
from tamis.remote._pipe import Pipe
from tamis.remote._server import Server
from tamis.remote._waiters import Waiters

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any

    from tamis.remote._watch import Watch

# Threads that ask for tasks of event loops.
_THREADS = 8
# For so long close() waits for the listening thread.
_END_SECONDS = 2.0

_all: weakref.WeakSet[Link] = weakref.WeakSet()


class Link:
    """One server, as all functions of a tier have it. It begins with the first request."""

    def __init__(
        self,
        connect: Callable[[], Any],
        *,
        namespace: str,
        timeout: float,
        deadline: float,
        lease: float,
    ) -> None:
        self.namespace = namespace
        self.lease = lease
        self.watch: Watch = _core._watch()
        self.server = Server(connect, timeout)
        self._connect = connect
        self._deadline = deadline
        self._timeout = timeout
        self._closed = False
        # Whether connections and loops are of a kind that loops can read from themselves.
        self.has_pipes = True
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        # For the counts of functions.
        self.counting = threading.Lock()
        self._process = os.getpid()
        self.waiters = Waiters()
        self.leases = Leases(self.lease)
        self._pipes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Pipe] = weakref.WeakKeyDictionary()
        self._executor: ThreadPoolExecutor | None = None
        self._listener: Listener | None = None

    def forked(self) -> None:
        """Begin anew: threads, connections and leases are the parent's."""
        self.server.forked()
        self.watch.lost()
        self._begin()

    @property
    def is_closed(self) -> bool:
        """Whether nothing is asked any more."""
        return self._closed

    @property
    def is_own(self) -> bool:
        """Whether this process has made it, or has begun anew after a fork."""
        return self._process == os.getpid()

    def close(self) -> None:
        """End the threads and the connections."""
        with self._lock:
            self._closed = True
            listener, self._listener = self._listener, None
            executor, self._executor = self._executor, None
            pipes = list(self._pipes.items())
            self._pipes.clear()
        self.server.end()
        for loop, pipe in pipes:
            # A loop that is closed has nobody who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(pipe.end)
        if listener is not None:
            listener.end(_END_SECONDS)
        if executor is not None:
            executor.shutdown(wait=False)
        self.watch.lost()

    @property
    def executor(self) -> ThreadPoolExecutor | None:
        """Threads that ask for tasks of event loops. None: there is nothing to ask."""
        with self._lock:
            if self._executor is None and not self._closed:
                self._executor = ThreadPoolExecutor(_THREADS, "tamis.remote")
            return self._executor

    def pipe(self, loop: asyncio.AbstractEventLoop) -> Pipe | None:
        """Return the connection of a loop's tasks. None: they have none, and threads ask for them."""
        if not self.has_pipes or self._closed:
            return None
        pipe = self._pipes.get(loop)
        if pipe is None:
            with self._lock:
                pipe = self._pipes[loop] = Pipe(self.server, loop, self._timeout)
        return pipe

    @property
    def has_begun(self) -> bool:
        """Whether the server is listened to, or nothing is asked any more."""
        return self._listener is not None

    def start(self) -> None:
        """Listen to the server, from the first call on. That one waits for it, as long as a request may take."""
        if self._listener is not None:
            return
        if self._closed:
            raise Away
        with self._lock:
            if self._listener is not None or self._closed:
                return
            listener = Listener(
                self.server,
                self._connect,
                self.watch,
                self.waiters,
                self.leases,
                namespace=self.namespace,
                deadline=self._deadline,
            )
            self.server.on_away = listener.wake
            listener.start()
            self._listener = listener
        self.server.wait_until(self.watch.is_heard)

    def give_back(self, lease: bytes, token: bytes) -> None:
        """Have a lease given back, without a wait."""
        self.leases.forget(lease)
        listener = self._listener
        if listener is not None:
            listener.give_back(lease, token)

    @property
    def pushes(self) -> int:
        """How many messages told of changes."""
        return self._listener.pushes if self._listener is not None else 0

    @property
    def reconnects(self) -> int:
        """How often the connection that brings these was made anew."""
        return self._listener.reconnects if self._listener is not None else 0


def _after_fork() -> None:
    for link in list(_all):
        link.forked()


def _at_exit() -> None:
    for link in list(_all):
        if link.is_own:
            link.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
