"""How connections to a server are made, from an address or from the settings of a client of the package ``redis``."""

from __future__ import annotations

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Settings of a client that are about what it does with connections and replies, and not about the server.
_NOT_OURS = (
    "maint_notifications_config",
    "maint_notifications_pool_handler",
    "oss_cluster_maint_notifications_handler",
    "event_dispatcher",
    "himport_registry",
    "redis_connect_func",
    "parser_class",
    "retry_on_error",
    "retry_on_timeout",
    "command_packer",
)


def connector(url: str | None, client: Any, timeout: float) -> Callable[[], Any]:
    """Return what makes a new connection, which is not yet connected. Imports nothing before that."""
    if client is not None:
        _check(client)
    made: list[tuple[Any, dict[str, Any]]] = []

    def connect() -> Any:
        if not made:
            made.append(_settings(url, client, timeout))
        kind, settings = made[0]
        return kind(**settings)

    return connect


def _check(client: Any) -> None:
    import redis
    import redis.asyncio

    if isinstance(client, redis.RedisCluster | redis.asyncio.RedisCluster):
        raise TypeError(
            "client takes a client of one server: in a cluster each node tells of its own changes, "
            "and tamis listens to one alone"
        )
    if isinstance(client, redis.asyncio.Redis):
        raise TypeError("client takes a redis.Redis, also for coroutine functions, not a redis.asyncio.Redis")
    if not isinstance(client, redis.Redis):
        raise TypeError(f"client takes a redis.Redis, not {type(client).__name__}")


def _settings(url: str | None, client: Any, timeout: float) -> tuple[Any, dict[str, Any]]:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    pool = client.connection_pool if client is not None else redis.ConnectionPool.from_url(str(url))
    settings = {name: value for name, value in pool.connection_kwargs.items() if name not in _NOT_OURS}
    settings.update(
        # The old protocol: one connection can subscribe to the changes of all others, with any server.
        protocol=2,
        decode_responses=False,
        health_check_interval=0,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )
    return pool.connection_class, settings
