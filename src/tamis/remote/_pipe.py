"""One connection for all tasks of an event loop: what they ask goes out at once, and the replies come in that order.

The package ``redis`` connects, in a thread, with all that this takes: addresses, users, Sentinel. Then its socket is
the loop's. A connection with TLS, and a loop that can't watch sockets, are not served here: threads ask in their place.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import weakref
from collections import deque

from tamis.remote._errors import Away
from tamis.remote._requests import ReplyError

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tamis.remote._requests import Command
    from tamis.remote._server import Server

_CHUNK = 1 << 16
# The longest reply that a server of this protocol has, and how deep ours nest.
_MOST_BYTES, _MOST_DEPTH = 1 << 29, 4


class Unsuited(Exception):
    """This loop or this connection can't be used so. Never leaves this package."""


class _Closed(Exception):
    """The connection ended before there was a reply."""


class _Request:
    """What was sent, of which so many replies are to come until then."""

    __slots__ = "count", "deadline", "future"

    def __init__(self, future: asyncio.Future[list[Any]], count: int, deadline: float) -> None:
        self.future = future
        self.count = count
        self.deadline = deadline


class Pipe:
    """The connection of one loop. All but its making runs in the loop's thread."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        self._server = server
        # The loop holds this, by what it watches.
        self._loop = weakref.ref(loop)
        self._timeout = timeout
        self._connection: Any = None
        self._socket: socket.socket | None = None
        self._connecting: asyncio.Future[None] | None = None
        self._waiting: deque[_Request] = deque()
        self._replies: list[Any] = []
        self._input = bytearray()
        self._output = bytearray()
        # Whether the loop is to look at the time. No handle is kept, which would keep the loop.
        self._is_timed = False
        self._at_end: weakref.finalize[..., asyncio.AbstractEventLoop] | None = None

    async def ask(self, commands: tuple[Command, ...], by_thread: Callable[..., Any]) -> list[Any]:
        """As ``Server.ask``. Connecting is done ``by_thread``."""
        if self._server.is_away:
            raise Away
        try:
            replies = await self._ask(b"".join(map(packed, commands)), len(commands), by_thread)
        except Away:
            self._server.failed()
            raise
        if any(isinstance(reply, ReplyError) and reply.is_elsewhere for reply in replies):
            self.close()
        return replies

    async def _ask(self, content: bytes, count: int, by_thread: Callable[..., Any]) -> list[Any]:
        while True:
            is_new = self._socket is None
            if is_new:
                await self._connect(by_thread)
            request = self._begin(content, count)
            try:
                return await request.future
            except _Closed:
                # The server has closed what was kept: it may have begun anew.
                if is_new:
                    raise Away from None
            except asyncio.CancelledError:
                # What was asked is done all the same, such as taking a lease: who cancels waits for the reply.
                request.future = replied = asyncio.get_running_loop().create_future()
                while request in self._waiting and not replied.done():
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.wait([replied])
                if replied.done():
                    replied.exception()
                raise

    async def _connect(self, by_thread: Callable[..., Any]) -> None:
        loop = asyncio.get_running_loop()
        if self._connecting is not None:
            await asyncio.shield(self._connecting)
            return
        connecting: asyncio.Future[None] = loop.create_future()
        self._connecting = connecting
        try:
            connection = await by_thread(self._server.connected)
            ours = getattr(connection, "_sock", None)
            if type(ours) is not socket.socket:
                self._server.close(connection)
                raise Unsuited
            ours.setblocking(False)
            try:
                loop.add_reader(ours, self._readable)
            except NotImplementedError:
                self._server.close(connection)
                raise Unsuited from None
            self._connection, self._socket = connection, ours
            # Loops end without a word to those who use them.
            self._at_end = weakref.finalize(loop, self._server.close, connection)
        except BaseException as error:
            # Those who wait for it get the same, but for a task that was cancelled.
            connecting.set_exception(error if isinstance(error, Away | Unsuited) else Away())
            connecting.exception()
            raise
        else:
            connecting.set_result(None)
        finally:
            self._connecting = None

    def _begin(self, content: bytes, count: int) -> _Request:
        loop = asyncio.get_running_loop()
        request = _Request(loop.create_future(), count, loop.time() + self._timeout)
        self._waiting.append(request)
        if not self._is_timed:
            self._is_timed = True
            loop.call_later(self._timeout, self._look_at_time)
        self._output += content
        if len(self._output) == len(content):
            self._writable()
        return request

    def _look_at_time(self) -> None:
        self._is_timed = False
        loop = self._loop()
        if loop is None or not self._waiting:
            return
        left = self._waiting[0].deadline - loop.time()
        if left <= 0:
            self._end(Away())
        else:
            self._is_timed = True
            loop.call_later(left, self._look_at_time)

    def _writable(self) -> None:
        loop, ours = self._loop(), self._socket
        if loop is None or ours is None:
            return
        try:
            sent = ours.send(self._output)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._end(_Closed())
            return
        del self._output[:sent]
        if self._output:
            loop.add_writer(ours, self._writable)
        else:
            loop.remove_writer(ours)

    def _readable(self) -> None:
        if self._socket is None:
            return
        try:
            chunk = self._socket.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._end(_Closed())
            return
        self._input += chunk
        try:
            self._take_replies()
        except (ValueError, RecursionError):
            # No reply of a server that speaks this protocol.
            self._end(Away())

    def _take_replies(self) -> None:
        at = 0
        while at < len(self._input):
            try:
                reply, at = _parsed(self._input, at, 0)
            except IndexError:
                break
            if not self._waiting:
                raise ValueError("a reply to nothing")
            self._replies.append(reply)
            request = self._waiting[0]
            if len(self._replies) == request.count:
                self._waiting.popleft()
                replies, self._replies = self._replies, []
                if not request.future.done():
                    request.future.set_result(replies)
        del self._input[:at]

    def _end(self, error: Exception) -> None:
        """Close the connection, and tell whoever waits."""
        self.close()
        waiting, self._waiting = self._waiting, deque()
        self._replies = []
        for request in waiting:
            if not request.future.done():
                request.future.set_exception(error)
                # Whoever has been cancelled does not ask.
                request.future.exception()

    def close(self) -> None:
        """Close the connection. The next request makes another one."""
        loop, ours, connection = self._loop(), self._socket, self._connection
        self._socket = self._connection = None
        self._input.clear()
        self._output.clear()
        if ours is not None and loop is not None and not loop.is_closed():
            loop.remove_reader(ours)
            loop.remove_writer(ours)
        if connection is not None:
            if self._at_end is not None:
                self._at_end.detach()
            self._server.close(connection)

    def end(self) -> None:
        """Close the connection for good, and tell whoever waits."""
        self._end(Away())


def packed(command: Command) -> bytes:
    """Return a command as the protocol has it."""
    parts = [b"*%d\r\n" % len(command)]
    for argument in command:
        content = argument if isinstance(argument, bytes) else b"%d" % argument
        parts.append(b"$%d\r\n%b\r\n" % (len(content), content))
    return b"".join(parts)


def _parsed(content: bytearray, at: int, depth: int) -> tuple[Any, int]:
    """Return the reply that begins there, and its end. IndexError: there is more to come. ValueError: it is none."""
    end = content.find(b"\r\n", at)
    if end < 0:
        if len(content) - at > _CHUNK:
            raise ValueError("a line without an end")
        raise IndexError
    kind, line = content[at], bytes(content[at + 1 : end])
    at = end + 2
    if kind == 0x2B:  # +
        return line, at
    if kind == 0x2D:  # -
        return ReplyError.of_line(line), at
    if kind == 0x3A:  # :
        return int(line), at
    if kind == 0x24:  # $
        length = int(line)
        if length == -1:
            return None, at
        if not 0 <= length <= _MOST_BYTES:
            raise ValueError("no length")
        end = at + length
        if len(content) < end + 2:
            raise IndexError
        return bytes(content[at:end]), end + 2
    if kind == 0x2A and depth < _MOST_DEPTH:  # *
        count = int(line)
        if count == -1:
            return None, at
        if not 0 <= count <= _MOST_BYTES:
            raise ValueError("no count")
        items = []
        for _ in range(count):
            item, at = _parsed(content, at, depth + 1)
            items.append(item)
        return items, at
    raise ValueError("no reply")
