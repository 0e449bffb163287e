"""Requests to the server, over connections of the package ``redis``; and whether it is worth while to ask it at all."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque

from tamis.remote._errors import Away
from tamis.remote._requests import ReplyError, running

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tamis.remote._requests import Command, Requests
    from tamis.remote._scripts import Script

# After so many failures in a row nobody asks any more, until the listener has reached the server again.
_MOST_FAILURES = 2
# Connections that are kept for the next request.
_KEPT = 64


class Server:
    """One server, as this process asks it. Connections are made by ``connect``, with the server's settings."""

    def __init__(self, connect: Callable[[], Any], timeout: float) -> None:
        self._connect = connect
        self._timeout = timeout
        self._idle: deque[Any] = deque(maxlen=_KEPT)
        self._failures = 0
        self._is_away = False
        self._is_closed = False
        self._of_parent: list[Any] = []
        self._lock = threading.Lock()
        # Called where the server is given up.
        self.on_away: Callable[[], None] = lambda: None

    def forked(self) -> None:
        """Forget what belongs to the parent: this is its child."""
        # Kept and not closed: a TLS connection would say goodbye on the parent's.
        self._of_parent.extend(self._idle)
        self._idle = deque(maxlen=_KEPT)
        self._lock = threading.Lock()
        self.reached()

    @property
    def is_away(self) -> bool:
        """Whether nobody asks it at present."""
        return self._is_away

    def end(self) -> None:
        """Ask it no more at all."""
        self._is_away = self._is_closed = True
        self.drop_connections()

    def reached(self) -> None:
        """Ask it again: it has answered."""
        self._failures = 0
        self._is_away = self._is_closed

    def failed(self) -> None:
        """Count a request without an answer of use. After some in a row the server is given up."""
        with self._lock:
            self._failures += 1
            gone = self._failures >= _MOST_FAILURES and not self._is_away
            if gone:
                self._is_away = True
        if gone:
            self.drop_connections()
            self.on_away()

    def drop_connections(self) -> None:
        """Close what is kept for the next request."""
        while True:
            try:
                self.close(self._idle.pop())
            except IndexError:
                return

    @staticmethod
    def close(connection: Any) -> None:
        # If that fails, it is closed as well as it can be.
        with contextlib.suppress(Exception):
            connection.disconnect()

    def ask(self, *commands: Command) -> list[Any]:
        """Send commands in one go, and return the replies. An error among these is a ReplyError.

        Raises Away where there is no answer in time, without a wait if that is known.
        """
        if self._is_away:
            raise Away
        try:
            replies = self.ask_anyway(*commands)
        except Away:
            self.failed()
            raise
        if any(isinstance(reply, ReplyError) and reply.is_elsewhere for reply in replies):
            self.drop_connections()
        return replies

    def ask_anyway(self, *commands: Command) -> list[Any]:
        """As ``ask``, also where it was of no use before."""
        import redis.exceptions

        while True:
            if self._is_closed:
                raise Away
            try:
                connection, is_new = self._idle.pop(), False
            except IndexError:
                connection, is_new = self._connect(), True
            try:
                if is_new:
                    connection.connect()
                connection.send_packed_command(connection.pack_commands(commands), check_health=False)
                replies = [self._reply(connection) for _ in commands]
            except redis.exceptions.TimeoutError:
                self.close(connection)
                raise Away from None
            except (redis.exceptions.ConnectionError, OSError) as error:
                self.close(connection)
                if is_new or isinstance(error, TimeoutError):
                    raise Away from None
                # The server has closed what was kept: it may have begun anew.
            except Exception:
                # No reply of a server that speaks this protocol.
                self.close(connection)
                raise Away from None
            except BaseException:
                self.close(connection)
                raise
            else:
                if len(self._idle) < _KEPT:
                    self._idle.append(connection)
                else:
                    self.close(connection)
                if self._is_closed:
                    # While this was asked.
                    self.drop_connections()
                return replies

    def connected(self) -> Any:
        """Return a new connection of the package's. Raises Away."""
        connection = self._connect()
        try:
            connection.connect()
        except Exception:
            self.close(connection)
            raise Away from None
        return connection

    @staticmethod
    def _reply(connection: Any) -> Any:
        import redis.exceptions as errors

        try:
            return connection.read_response(disconnect_on_error=True)
        except errors.ResponseError as error:
            elsewhere = isinstance(error, errors.ReadOnlyError | errors.ClusterError | errors.MovedError)
            is_missing = isinstance(error, errors.NoScriptError)
            return ReplyError(str(error), is_missing_script=is_missing, is_elsewhere=elsewhere)

    def make(self, requests: Requests) -> Any:
        """Make requests in this thread, and return what they say."""
        replies: list[Any] | None = None
        while True:
            try:
                send = requests.send(replies)  # type: ignore[arg-type]
            except StopIteration as stop:
                return stop.value
            try:
                replies = self.ask(*send.commands)
            except Away as away:
                requests.close()
                raise away from None

    def run(self, script: Script, *keys_and_arguments: bytes | int) -> Any:
        """Run a script in this thread: see ``running``."""
        return self.make(running(script, *keys_and_arguments))

    def answered(self) -> None:
        """Count a request with an answer of use."""
        self._failures = 0

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for what another thread is to do, for as long as a request may take."""
        until = time.monotonic() + self._timeout
        while not condition() and time.monotonic() < until:
            time.sleep(0.001)
