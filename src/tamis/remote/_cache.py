"""One function's part of a tier: what the compiled part calls."""

from __future__ import annotations

from tamis import _core
from tamis.remote._drivers import drive, drive_async
from tamis.remote._entries import Entries
from tamis.remote._errors import Away, Unreachable
from tamis.remote._requests import Refused, ReplyError
from tamis.remote._scripts import INVALIDATE, LOOK, STORE
from tamis.remote._steps import Call

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from tamis.remote._entries import Place, ValueOptions
    from tamis.remote._link import Link
    from tamis.remote._steps import Answer


class RemoteCache(Entries):
    """What a function with a tier as its backend has of it."""

    def __init__(
        self,
        link: Link,
        values: ValueOptions,
        function: Callable[..., Any],
        name: str,
        *,
        coroutine: bool,
        options: dict[str, Any],
    ) -> None:
        super().__init__(link, values, name, coroutine=coroutine, options=options)
        self._function = function
        self._coroutine = coroutine

    def fetch(
        self, wrapper: Any, key: bytes, args: tuple[Any, ...], kwargs: dict[str, Any], refresh: bool
    ) -> Answer | Awaitable[Answer]:
        """Answer a call that the near cache has no entry for. For a coroutine function: a coroutine of that."""
        steps = Call(self, wrapper, key).steps(refresh)

        def function() -> Any:
            return self._function(*args, **kwargs)

        if self._coroutine:
            return drive_async(steps, function, self.link)
        return drive(steps, function, self.link)

    def contains(self, key: bytes) -> bool:
        """Tell whether the server has an entry that is good. False if it can't be asked."""
        place = self.place(key)
        try:
            what, *rest = self.run(LOOK, place, b"", 1, self.most_sealed)
        except Away:
            return False
        if what != b"value":
            return False
        opened = self.envelope.open(place.seal, rest[0])
        return opened is not None and (rest[1] < 0 or bool(rest[1] > opened[1]))

    def invalidate(self, key: bytes) -> bool:
        """Drop an entry, and fence whoever computes it now. Tell whether it was there."""
        place = self.place(key)
        with _change(self, place, "cache_invalidate() could not drop the entry on the server"):
            fence, milliseconds = self.leases.new_fence(), self.leases.fence_milliseconds
            _, count = self.run(INVALIDATE, place, fence, milliseconds)
        return bool(count == 1)

    def put(self, wrapper: Any, key: bytes, value: Any) -> None:
        """Store a value."""
        place = self.place(key)
        spans = _core._spans(wrapper, value, False)
        payload = self.encoded(value)
        if payload is None:
            # What was stored before is out of date.
            self.invalidate(key)
            return
        assert spans is not None
        sealed, milliseconds = self.sealed(place, payload, *spans)
        with _change(self, place, "cache_put() could not store the value on the server"):
            who = b"p" + self.leases.new_fence()
            self.run(STORE, place, who, sealed, milliseconds, self.leases.fence_milliseconds)

    def clear(self) -> None:
        """Begin a new epoch, in which there are no entries."""
        epoch = self.leases.new_token()
        self.reset_counts()
        try:
            self.link.start()
            (reply,) = self.link.server.ask((b"SET", self._names.epoch_key, epoch))
            if reply != b"OK":
                raise Refused(reply.text if isinstance(reply, ReplyError) else repr(reply))
        except (Away, Refused) as error:
            raise Unreachable(f"cache_clear() could not clear the entries on the server: {error}") from None
        finally:
            self.link.watch.all_changed()
        self._epoch = epoch


class _change:
    """A change of one entry: near entries go before and after it, and what stands in its way is told."""

    def __init__(self, cache: RemoteCache, place: Place, message: str) -> None:
        self._cache = cache
        self._place = place
        self._message = message

    def __enter__(self) -> None:
        self._cache.changed(self._place)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self._cache.changed(self._place)
        if isinstance(error, Away | Refused):
            self._cache.count_error()
            why = f": {error}" if str(error) else ""
            raise Unreachable(self._message + why) from None
