"""The leases that this process has: who has one computes, and others wait."""

from __future__ import annotations

import itertools
import os
import time

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# For so long what was computed before a change is refused, where its caller has no lease.
_FENCE_SECONDS = 60
# A lease is renewed after this part of its time.
_RENEWED_AFTER = 1 / 3


class Leases:
    """Tokens of the leases of this process, by the leases' names. Each change of the dict is one step."""

    fence_milliseconds = _FENCE_SECONDS * 1000

    def __init__(self, seconds: float) -> None:
        self.milliseconds = max(1, int(seconds * 1000))
        self._period = seconds * _RENEWED_AFTER
        self._held: dict[bytes, tuple[bytes, float]] = {}
        # The child of a fork begins anew, so no two processes have the same.
        self._own = os.urandom(12).hex().encode()
        self._numbers = itertools.count()

    def new_token(self) -> bytes:
        """Return a token that nobody else has."""
        return b"%b%x" % (self._own, next(self._numbers))

    def new_fence(self) -> bytes:
        """Return a fence that nobody else has put anywhere."""
        return b"!" + self.new_token()

    def take(self, lease: bytes, token: bytes) -> None:
        """Note a lease that this process has got."""
        self._held[lease] = token, time.monotonic() + self._period

    def is_own(self, lease: bytes, token: object) -> bool:
        """Tell whether this is a token of this process's: the call that waits would wait for its own process."""
        held = self._held.get(lease)
        return held is not None and held[0] == token

    def count(self) -> int:
        """Return how many there are."""
        return len(self._held)

    def forget(self, lease: bytes) -> None:
        """Note that a lease is through, or another's by now."""
        self._held.pop(lease, None)

    def due(self) -> Iterator[tuple[bytes, bytes]]:
        """Return the leases that are to be renewed now, with their tokens."""
        if not self._held:
            return
        now = time.monotonic()
        for lease, (token, until) in list(self._held.items()):
            if now >= until:
                if lease in self._held:
                    self._held[lease] = token, now + self._period
                yield lease, token
