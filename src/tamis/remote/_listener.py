"""The one thread of a process and a server: it hears of changes, and keeps leases.

Its connection subscribes to what the server tells of changed keys: ``CLIENT TRACKING`` in broadcasting mode, redirected
to the connection itself, in RESP2. A PING on it that is answered says that nothing was missed so far, since the answer
comes after all that was told before.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from tamis.remote import _names
from tamis.remote._errors import Away
from tamis.remote._scripts import RELEASE, RENEW

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tamis.remote._leases import Leases
    from tamis.remote._server import Server
    from tamis.remote._waiters import Waiters
    from tamis.remote._watch import Watch

_CHANNEL = b"__redis__:invalidate"
# Seconds between attempts to reach a server that is away: the first pause, and the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
# For so long the thread sleeps at most, so that it sees soon that it is to end or to release a lease.
_TICK = 0.05


class Lost(Exception):
    """The connection brings nothing more."""


class Listener:
    """Hears of changes of one namespace, and tells the watch of near entries and whoever waits for a value."""

    def __init__(
        self,
        server: Server,
        connect: Callable[[], Any],
        watch: Watch,
        waiters: Waiters,
        leases: Leases,
        *,
        namespace: str,
        deadline: float,
    ) -> None:
        self._server = server
        self._connect = connect
        self._watch = watch
        self._waiters = waiters
        self._leases = leases
        self._prefix = _names.prefix(namespace)
        self._deadline = deadline
        self._ends = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        # Leases to be given back by this thread, since whoever had them has no time for it.
        self._given_back: deque[tuple[bytes, bytes]] = deque()
        self.pushes = 0
        self.reconnects = 0

    def start(self) -> None:
        """Begin to listen, in a thread that does not keep the process from ending."""
        try:
            thread = threading.Thread(target=self._run, name="tamis.remote", daemon=True)
        except RuntimeError:
            # A sub-interpreter waits for all its threads: this one is told before, as those of executors are.
            thread = threading.Thread(target=self._run, name="tamis.remote", daemon=False)
            threading._register_atexit(self.end, 0.0)  # type: ignore[attr-defined]
        self._thread = thread
        thread.start()

    def end(self, seconds: float) -> None:
        """Stop listening, and wait for the thread so long at most."""
        self._ends.set()
        self._wake.set()
        self._watch.lost()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def give_back(self, lease: bytes, token: bytes) -> None:
        """Have a lease given back, without a wait."""
        self._given_back.append((lease, token))
        self._wake.set()

    def wake(self) -> None:
        """Look after the server now: it was given up."""
        self._wake.set()

    def _run(self) -> None:
        pause, begun = _FIRST_PAUSE, False
        while not self._ends.is_set():
            connection = None
            try:
                connection = self._connect()
                self._subscribe(connection)
                pause = _FIRST_PAUSE
                if begun:
                    self.reconnects += 1
                begun = True
                self._listen(connection)
            except Exception:
                # The server is away, answers rubbish, or does not let this user listen: it is tried again.
                pass
            finally:
                self._watch.lost()
                if connection is not None:
                    self._server.close(connection)
            if self._ends.is_set():
                return
            self._between(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _between(self, pause: float) -> None:
        """Let time pass without news, in which leases are kept and a server that was given up is looked for."""
        until = time.monotonic() + pause
        while not self._ends.is_set():
            self._keep_leases()
            self._look_for_server()
            left = until - time.monotonic()
            if left <= 0:
                return
            self._wake.wait(min(left, _TICK))
            self._wake.clear()

    def _look_for_server(self) -> None:
        if self._server.is_away:
            try:
                (reply,) = self._server.ask_anyway((b"PING",))
            except Away:
                return
            if reply == b"PONG":
                self._server.reached()

    def _subscribe(self, connection: Any) -> None:
        connection.connect()
        connection.send_command(b"CLIENT", b"ID")
        number = connection.read_response()
        connection.send_command(b"CLIENT", b"TRACKING", b"ON", b"REDIRECT", number, b"BCAST", b"PREFIX", self._prefix)
        if connection.read_response() != b"OK":
            raise Lost
        connection.send_command(b"SUBSCRIBE", _CHANNEL)
        # What is told before this reply is lost; so near entries stand from the first answered PING on.
        while connection.read_response()[0] != b"subscribe":
            pass

    def _listen(self, connection: Any) -> None:
        period = self._deadline / 4
        asked: deque[float] = deque()
        heard = time.monotonic()
        while not self._ends.is_set():
            now = time.monotonic()
            if now - heard > self._deadline and asked:
                raise Lost
            if not asked or now - asked[-1] >= period:
                connection.send_packed_command(connection.pack_command(b"PING"), check_health=False)
                asked.append(now)
            if connection.can_read(timeout=min(period, _TICK)):
                message = connection.read_response()
                if message[0] == b"pong":
                    heard = time.monotonic()
                    self._answered(heard - asked.popleft())
                elif message[0] == b"message":
                    self._told(message[2])
            self._keep_leases()
            self._look_for_server()

    def _answered(self, took: float) -> None:
        # From when it was asked on, since it says nothing of what came later.
        left = self._deadline - took
        if left > 0:
            self._watch.heard(int(left * 1e9))
            if self._server.is_away:
                self._server.reached()

    def _told(self, names: list[bytes] | None) -> None:
        self.pushes += 1
        if names is None:
            # FLUSHALL or FLUSHDB.
            self._watch.all_changed()
            self._waiters.wake_all()
            return
        for name in names:
            digest = _names.changed(name)
            if digest is None:
                self._watch.all_changed()
                self._waiters.wake_all()
            else:
                self._watch.changed(_names.stripe(digest))
                self._waiters.wake(digest)

    def _keep_leases(self) -> None:
        try:
            while self._given_back:
                lease, token = self._given_back.popleft()
                self._server.run(RELEASE, lease, token)
            for lease, token in self._leases.due():
                if not self._server.run(RENEW, lease, token, self._leases.milliseconds):
                    self._leases.forget(lease)
        except Exception:
            # The server is away: the leases end by themselves, and no store under one that has ended is accepted.
            pass
