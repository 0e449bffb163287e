"""The entries of one function on a server: where they lie, what lies there, and requests about them."""

from __future__ import annotations

import datetime
import warnings

from tamis import _core
from tamis.remote import _names
from tamis.remote._envelope import OVERHEAD, Envelope
from tamis.remote._errors import Away
from tamis.remote._requests import Refused, running
from tamis.remote._scripts import STORE

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tamis.remote._leases import Leases
    from tamis.remote._link import Link
    from tamis.remote._requests import Requests
    from tamis.remote._scripts import Script

_A_MILLISECOND = 1_000_000
# How often an epoch may change while one request is made.
_MOST_EPOCHS = 16
_LONGEST_SPAN = 1 << 53
# For so many nanoseconds entries stay whose function names no ttl: 30 days.
LONGEST = 30 * 86400 * 1_000_000_000


class ValueOptions:
    """How values are kept: see ``tamis.remote.Redis``. ``away`` is in nanoseconds."""

    def __init__(self, serializer: Any, secret: bytes | None, most_bytes: int, away: int) -> None:
        self.serializer = serializer
        self.secret = secret
        self.most_bytes = most_bytes
        self.away = away


class Place:
    """Where the entry of one call lies, in the epoch that is known."""

    __slots__ = "digest", "epoch", "lease", "seal", "stripe", "value"

    def __init__(self, names: _names.FunctionNames, epoch: bytes, digest: bytes) -> None:
        self.digest = digest
        self.stripe = _names.stripe(digest)
        self.move(names, epoch)
        # An envelope is of one key, in any epoch.
        self.seal = names.epoch_key + digest

    def move(self, names: _names.FunctionNames, epoch: bytes) -> None:
        """Go to another epoch."""
        self.epoch = epoch
        self.value = names.value(epoch, self.digest)
        self.lease = names.lease(epoch, self.digest)


class Entries:
    """The entries of one function. ``options`` are those of its decorator."""

    def __init__(
        self, link: Link, values: ValueOptions, name: str, *, coroutine: bool, options: dict[str, Any]
    ) -> None:
        self.link = link
        self._values = values
        self.away = values.away
        single_flight = options.get("single_flight")
        self.single_flight: bool = coroutine if single_flight is None else single_flight
        self.retry = 0
        self._on_error = 0
        if options.get("stale_if_error") is not None:
            retry = options.get("retry")
            self.retry = _nanoseconds(1.0 if retry is None else retry)
            self._on_error = _nanoseconds(options["stale_if_error"]) // _A_MILLISECOND
        self._name = name
        self._names = _names.FunctionNames(link.namespace, name)
        # The one that was seen last. What nobody has used: the server makes one.
        self._epoch = b"-"
        # What the server gets where it has none, and who has made that: the child of a fork makes its own.
        self._next_epoch: tuple[Leases, bytes] = self.leases, self.leases.new_token()
        self.envelope = Envelope(values.secret, values.serializer is not None)
        self.most_sealed = values.most_bytes + OVERHEAD
        self._counts = {"errors": 0, "oversize": 0, "unserializable": 0}
        self._warned = False

    @property
    def leases(self) -> Leases:
        """Those of this process."""
        return self.link.leases

    def place(self, key: bytes) -> Place:
        """Return where the entry of a key lies."""
        return Place(self._names, self._epoch, self._names.digest(key))

    def ticket(self, place: Place, alone: bool = False) -> tuple[int, int]:
        """Return a ticket for what is asked of the server from now on."""
        ticket: tuple[int, int] = self.link.watch.ticket(place.stripe, alone)
        return ticket

    def changed(self, place: Place) -> None:
        """Have no near entry of this key stand."""
        self.link.watch.changed(place.stripe)

    def running(self, script: Script, place: Place, *arguments: bytes | int, moves: bool = True) -> Requests:
        """Run a script at this place, in the epoch that holds, and return what it answers.

        Unless it ``moves``, the epoch is to be that of the place: if another one holds, that is the answer.
        Raises Away where there is no answer, or none of use; and Refused where the server would not store.
        """
        server = self.link.server
        for _ in range(_MOST_EPOCHS):
            if moves and place.epoch != self._epoch:
                place.move(self._names, self._epoch)
            keys = self._names.epoch_key, place.value, place.lease
            try:
                reply = yield from running(script, *keys, place.epoch, self._new_epoch(), *arguments)
            except Refused:
                if script is STORE:
                    raise
                server.failed()
                raise Away from None
            if not _is_answer(reply):
                server.failed()
                raise Away
            server.answered()
            if reply[0] != b"epoch":
                return reply
            self._epoch = reply[1]
            if reply[1] == self._next_epoch[1]:
                # No epoch comes twice, or what was stored in the first one would be found again.
                self._next_epoch = self.leases, self.leases.new_token()
            if not moves:
                return reply
        raise Away

    def _new_epoch(self) -> bytes:
        maker, epoch = self._next_epoch
        if maker is not self.leases:
            epoch = self.leases.new_token()
            self._next_epoch = self.leases, epoch
        return epoch

    def run(self, script: Script, place: Place, *arguments: bytes | int) -> list[Any]:
        """Run a script in this thread: see ``running``."""
        self.link.start()
        answer: list[Any] = self.link.server.make(self.running(script, place, *arguments))
        return answer

    def encoded(self, value: Any) -> bytes | None:
        """Return the bytes of a value, or None if it has none or too many, which is counted."""
        serializer, most = self._values.serializer, self._values.most_bytes
        if serializer is None:
            payload: Any = _core._encode(value, most)
            if payload is None:
                self._count("unserializable")
                self._warn(f"it is of {type(value)!r}, or holds what is of no built-in type")
                return None
        else:
            try:
                payload = serializer.dumps(value)
            except Exception as error:
                self._count("unserializable")
                self._warn(repr(error))
                return None
            if not isinstance(payload, bytes):
                kind = type(payload).__name__
                raise TypeError(f"serializer takes an object whose dumps(obj) returns bytes, not {kind}")
        if payload is False or len(payload) > most:
            self._count("oversize")
            return None
        return bytes(payload)

    def decoded(self, payload: bytes) -> tuple[Any] | None:
        """Return the value of bytes that have checked, in a tuple, or None."""
        if self._values.serializer is None:
            return _core._decode(payload)
        try:
            return (self._values.serializer.loads(payload),)
        except Exception:
            # Of another release of the program.
            return None

    def sealed(self, place: Place, payload: bytes, fresh: int | None, used: int | None) -> tuple[bytes, int]:
        """Return what the server is to keep, and for how many milliseconds."""
        if used is None:
            used = LONGEST if fresh is None else fresh + LONGEST
        stale = 0 if fresh is None else (used - fresh) // _A_MILLISECOND
        milliseconds = min(max(1, used // _A_MILLISECOND), _LONGEST_SPAN)
        stale = min(stale, milliseconds)
        return self.envelope.seal(place.seal, payload, stale, min(self._on_error, stale)), milliseconds

    def count_error(self) -> None:
        """Count a call for which the server was of no use."""
        self._count("errors")

    def reset_counts(self) -> None:
        """Count from zero again."""
        with self.link.counting:
            self._counts = dict.fromkeys(self._counts, 0)

    def add_counts(self, counts: dict[str, int]) -> None:
        """Add what is counted here to what the compiled part counts."""
        with self.link.counting:
            own = dict(self._counts)
        own["errors"] += counts.get("errors", 0)
        counts.update(own, pushes=self.link.pushes, reconnects=self.link.reconnects)

    def _count(self, what: str) -> None:
        with self.link.counting:
            self._counts[what] += 1

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"the cache of {self._name} could not serialize a value, "
                f"and returns such values without storing them: {why}",
                RuntimeWarning,
                stacklevel=2,
            )


# What scripts answer, and of which types the rest is.
_ANSWERS: dict[bytes, tuple[type, ...]] = {
    b"epoch": (bytes,),
    b"value": (bytes, int),
    b"lease": (),
    b"other": (bytes,),
    b"none": (bytes,),
    b"stored": (),
    b"superseded": (),
    b"done": (int,),
}


def _is_answer(reply: Any) -> bool:
    """Tell whether one of the scripts has answered so: a server may say anything."""
    if type(reply) is not list or not reply or type(reply[0]) is not bytes:
        return False
    types = _ANSWERS.get(reply[0])
    return types is not None and tuple(map(type, reply[1:])) == types


def _nanoseconds(value: Any) -> int:
    """Return a span of seconds, or a timedelta, in nanoseconds. The compiled part has checked it."""
    seconds = value.total_seconds() if isinstance(value, datetime.timedelta) else float(value)
    return int(min(seconds, 1e9) * 1e9)
