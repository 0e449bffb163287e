"""Who waits for a value that another process computes: threads, and tasks of any event loop."""

from __future__ import annotations

import threading

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Waiters:
    """Callables that are told of a change, by the digest of the key that they wait for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[bytes, list[Callable[[], object]]] = {}

    def add(self, digest: bytes, tell: Callable[[], object]) -> None:
        """Have a callable told of each change of the key, until it is removed. It must not wait."""
        with self._lock:
            self._waiting.setdefault(digest, []).append(tell)

    def remove(self, digest: bytes, tell: Callable[[], object]) -> None:
        """Undo ``add``."""
        with self._lock:
            waiting = self._waiting.get(digest, [])
            if tell in waiting:
                waiting.remove(tell)
            if not waiting:
                self._waiting.pop(digest, None)

    def wake(self, digest: bytes) -> None:
        """Tell whoever waits for this key."""
        if digest in self._waiting:
            with self._lock:
                waiting = list(self._waiting.get(digest, ()))
            for tell in waiting:
                tell()

    def wake_all(self) -> None:
        """Tell all who wait."""
        for digest in list(self._waiting):
            self.wake(digest)
