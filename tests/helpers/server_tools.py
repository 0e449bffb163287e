"""Servers of Redis or Valkey on free loopback ports, and a proxy before one that delays, cuts and freezes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.subprocess_tools import PACKAGE_FOLDER, TESTS, environment_with

# What there is on this system, one of them at least.
PROGRAMS = tuple(name for name in ("redis-server", "valkey-server") if shutil.which(name))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerProcess:
    """A server that keeps nothing on disk, ended by its process id."""

    def __init__(self, folder: Path, *options: str, program: str | None = None, first: str = "") -> None:
        if not PROGRAMS:
            if os.environ.get("CI"):
                raise AssertionError("there is neither redis-server nor valkey-server here")
            pytest.skip("there is neither redis-server nor valkey-server here")
        self.port = free_port()
        self._clients: list[Any] = []
        self.program = program or PROGRAMS[0]
        self._folder = folder
        self._options = options
        self._first = [first] if first else []
        self.start()

    @classmethod
    def sentinel(cls, folder: Path, configuration: Path) -> ServerProcess:
        """A Sentinel, which rewrites its configuration."""
        return cls(folder, "--sentinel", first=str(configuration))

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Begin, or begin anew."""
        command = [self.program, *self._first, "--port", str(self.port), "--bind", "127.0.0.1"]
        if not self._first:
            command += ["--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen([*command, *self._options], cwd=self._folder, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None, f"{self.program} has ended"
                assert time.monotonic() < until, f"{self.program} does not listen"
                time.sleep(0.01)

    def stop(self) -> None:
        """End it."""
        while self._clients:
            self._clients.pop().close()
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Have it answer nothing, with all connections open."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it answer again."""
        self.process.send_signal(signal.SIGCONT)

    def client(self, **options: Any) -> Any:
        """A client of the test's own."""
        redis = pytest.importorskip("redis")
        client = redis.Redis(port=self.port, protocol=2, **options)
        # Held until they are closed: the collector may come to a socket before it comes to its connection.
        self._clients.append(client)
        return client


class Proxy:
    """Hands on what goes to and from a server, connection by connection, unless it is told to hold it back."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        # Asked of each piece of a reply: None to hand it on, or an event that is waited for first.
        self.hold: Callable[[bytes], threading.Event | None] = lambda piece: None
        # What comes in the place of a reply.
        self.change: Callable[[bytes], bytes] = lambda piece: piece
        self._sockets: list[socket.socket] = []
        self._refuses = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self._refuses:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            self._sockets += client, server
            threading.Thread(target=self._hand_on, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._hand_on, args=(server, client, True), daemon=True).start()

    def _hand_on(self, source: socket.socket, target: socket.socket, is_reply: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 16):
                if is_reply:
                    held = self.hold(piece)
                    if held is not None:
                        held.wait(30)
                    piece = self.change(piece)
                target.sendall(piece)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self, refuse: bool = False) -> None:
        """Close all connections, and with ``refuse`` those that come as well."""
        self._refuses = refuse
        sockets, self._sockets = self._sockets, []
        for end in sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def stop(self) -> None:
        """End it."""
        self._listening.close()
        self.cut(refuse=True)


@contextlib.contextmanager
def running_server(folder: Path, *options: str) -> Iterator[ServerProcess]:
    """A server, for as long as the block runs."""
    server = ServerProcess(folder, *options)
    try:
        yield server
    finally:
        server.stop()


def eventually(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until a condition holds, which another thread or process brings about."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "this has not come about"
        time.sleep(0.002)


class Child:
    """A Python process of a test, line by line. It can import what tests can."""

    def __init__(self, code: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            env=environment_with(TESTS, PACKAGE_FOLDER),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def says(self) -> str:
        """The next line that it prints, or nothing if it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def tell(self) -> None:
        """Send it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def send_signal(self, number: int) -> None:
        self.process.send_signal(number)


def is_near(f: Any, *args: object) -> bool:
    """Whether a call is answered by the near cache."""
    before = f.cache_stats()["near_hits"]
    f(*args)
    return bool(f.cache_stats()["near_hits"] > before)


def settle(f: Any, *args: object) -> None:
    """Call until the near cache has it for good: the server tells of what was just stored, whoever has."""
    pushes = -1
    while pushes != f.cache_stats()["pushes"]:
        pushes = f.cache_stats()["pushes"]
        time.sleep(0.05)
        f(*args)
    eventually(lambda: is_near(f, *args))
