"""``tamis.remote.Redis``: a server of Redis or Valkey as the backend of caches."""

from __future__ import annotations

import importlib.util
import time
import weakref

from tamis.remote import _values
from tamis.remote._cache import RemoteCache
from tamis.remote._connections import connector
from tamis.remote._entries import ValueOptions
from tamis.remote._errors import Away, Unreachable
from tamis.remote._link import Link

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from typing_extensions import Self

    class Serializer(Protocol):
        def dumps(self, obj: Any, /) -> bytes: ...
        def loads(self, data: bytes, /) -> Any: ...


_SCHEMES = "redis://", "rediss://", "unix://"


class Redis:
    """A server that caches of several processes and machines share, for their option ``backend``.

    Making one connects to nothing: the first call of a function does. ``close()`` or a ``with`` block ends it.

    Arguments:

    url: where it is: ``redis://``, ``rediss://`` or ``unix://``, as the package ``redis`` has it
    client: in the place of ``url``: a client of the package ``redis``, one of Sentinel's too; its settings are used for
        all connections
    namespace: first part of all keys; programs that share entries share it
    timeout: seconds that connecting may take, and each request; no call waits longer for it than twice this
    deadline: near entries are not served when the server has not been heard of for so many seconds
    away: seconds that results live in memory alone while the server can't be reached
    lease: seconds after which a process that computes and gives no sign of life is replaced
    serializer: an object with ``dumps(obj) -> bytes`` and ``loads(bytes) -> obj``; None: for values of built-in types
    secret: bytes: values carry an HMAC-SHA256 over key and value, and what does not check is a miss
    max_value_bytes: larger values are returned and not stored
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        client: Any = None,
        namespace: str,
        timeout: float = 0.25,
        deadline: float = 1.0,
        away: float = 5.0,
        lease: float = 10.0,
        serializer: Serializer | None = None,
        secret: bytes | None = None,
        max_value_bytes: int = 1 << 20,
    ) -> None:
        if (url is None) == (client is None):
            raise TypeError("Redis takes either url or client")
        if url is not None:
            if not isinstance(url, str):
                raise TypeError(f"url takes a str such as 'redis://localhost:6379/0', not {type(url).__name__}")
            if not url.startswith(_SCHEMES):
                raise ValueError(f"url takes {', '.join(_SCHEMES[:-1])} or {_SCHEMES[-1]}, not {url!r}")
        if not isinstance(namespace, str):
            raise TypeError(f"namespace takes a str, not {type(namespace).__name__}")
        if not namespace:
            raise ValueError("namespace takes a str of at least one character")
        if importlib.util.find_spec("redis") is None:
            raise ImportError("tamis.remote.Redis needs the package redis: pip install 'tamis[redis]'")
        self._namespace = namespace
        seconds = {
            name: _values.seconds(name, value)
            for name, value in (("timeout", timeout), ("deadline", deadline), ("away", away), ("lease", lease))
        }
        self._values = ValueOptions(
            _values.serializer_of(serializer),
            _values.secret_of(secret),
            _values.natural("max_value_bytes", max_value_bytes),
            int(seconds.pop("away") * 1e9),
        )
        if secret is None and _values.is_pickle(serializer):
            raise ValueError(
                "serializer takes pickle only with secret=: who can write to the server could run code here"
            )
        self._link = Link(connector(url, client, seconds["timeout"]), namespace=namespace, **seconds)
        self._functions: weakref.WeakSet[RemoteCache] = weakref.WeakSet()

    def __repr__(self) -> str:
        return f"<tamis.remote.Redis namespace={self._namespace!r}{' closed' if self._link.is_closed else ''}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError("a tamis.remote.Redis can't be pickled: make one in each process, with the same namespace")

    def ping(self) -> float:
        """Ask the server for a sign of life, and return how many seconds it took. Raises Unreachable."""
        begun = time.perf_counter()
        server = self._link.server
        try:
            (reply,) = server.ask_anyway((b"PING",))
        except Away:
            closed = ": this tamis.remote.Redis was closed" if self._link.is_closed else ""
            raise Unreachable(f"ping() had no answer from the server{closed}") from None
        if reply != b"PONG":
            raise Unreachable(f"ping() had no answer from the server: {reply}")
        server.reached()
        return time.perf_counter() - begun

    def stats(self) -> dict[str, Any]:
        """Return what this process knows of the server.

        Whether it is ``away``, and whether near entries are served (``listening``); how many messages of changes there
        were (``pushes``) and how many new connections for them (``reconnects``); how many ``leases`` this process has
        now, and how many ``functions``.
        """
        return {
            "away": self._link.server.is_away,
            "listening": self._link.watch.is_heard(),
            "pushes": self._link.pushes,
            "reconnects": self._link.reconnects,
            "leases": self._link.leases.count(),
            "functions": len(self._functions),
        }

    def close(self) -> None:
        """End the thread and the connections. Functions compute from then on, and store in memory alone."""
        self._link.close()

    def _open(self, function: Callable[..., Any], options: dict[str, Any], coroutine: bool) -> tuple[RemoteCache, Any]:
        """Return a function's part of this tier, and the watch of its near entries. The compiled part calls it."""
        name = options.get("name")
        if name is None:
            from tamis._identity.region_name import region_name

            name = region_name(function, options)
        elif not isinstance(name, str):
            raise TypeError(f"name takes the name of the function's entries (a str), not {type(name).__name__}")
        elif not name:
            raise ValueError("name takes a str of at least one character")
        cache = RemoteCache(self._link, self._values, function, name, coroutine=coroutine, options=options)
        self._functions.add(cache)
        return cache, self._link.watch
