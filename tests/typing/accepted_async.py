"""What type checkers must accept of caches of coroutine functions, and the types that they must find."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tamis import cache, cached_method, lru_cache

if TYPE_CHECKING:
    from typing_extensions import Self, assert_type
else:
    from helpers.typing_tools import Self, assert_type

T = TypeVar("T")


@cache
async def bare(url: str) -> bytes:
    return b""


@lru_cache(maxsize=8, ttl=60)
async def fetched(url: str, *, retries: int = 1) -> bytes:
    return b""


@cache(single_flight=False)
async def same(value: T) -> T:
    return value


@cache
def by_plain_function(url: str) -> Callable[[], Coroutine[Any, Any, bytes]]:
    return functools.partial(bare, url)


class Client:
    @lru_cache(maxsize=None)
    async def get(self, path: str) -> bytes:
        return b""

    @cached_method
    async def own(self, path: str, deep: bool = False) -> list[str]:
        return [path]

    @classmethod
    @cache
    async def of_class(cls, path: str) -> str:
        return path

    @classmethod
    @cache
    async def made(cls) -> Self:
        return cls()

    @staticmethod
    @cache
    async def alike(path: str) -> str:
        return path

    @cache
    async def me(self) -> Self:
        return self

    async def inside(self) -> Self:
        assert_type(await self.get("a"), bytes)
        assert_type(await self.own("a", deep=True), list[str])
        assert_type(await self.of_class("a"), str)
        return await self.me()


class Gets(Protocol):
    async def get(self, path: str) -> bytes: ...


class Owns(Protocol):
    def own(self, path: str) -> Awaitable[list[str]]: ...


async def use(gets: Gets, owns: Owns) -> bytes:
    assert_type(await owns.own("a"), list[str])
    return await gets.get("a")


async def run(function: Callable[[str], Awaitable[T]]) -> T:
    return await function("a")


async def started(coroutine: Coroutine[Any, Any, T]) -> T:
    return await asyncio.create_task(coroutine)


async def main() -> None:
    client = Client()
    assert_type(await bare("a"), bytes)
    assert_type(await fetched("a", retries=2), bytes)
    assert_type(await same(len("a")), int)
    assert_type(await by_plain_function("a")(), bytes)
    assert_type(await client.get("a"), bytes)
    assert_type(await Client.get(client, path="a"), bytes)
    assert_type(await client.own("a"), list[str])
    assert_type(await Client.of_class("a"), str)
    assert_type(await Client.made(), Client)
    assert_type(await client.alike("a"), str)
    assert_type(await client.me(), Client)
    assert_type(await client.inside(), Client)
    assert_type(await use(client, client), bytes)
    assert_type(await run(bare), bytes)
    assert_type(await run(fetched), bytes)
    assert_type(await run(client.get), bytes)
    assert_type(await run(client.own), list[str])
    assert_type(await run(Client.of_class), str)

    # In a task.
    assert_type(await asyncio.create_task(bare("b")), bytes)
    assert_type(await asyncio.wait_for(fetched("b"), 5), bytes)
    content, names = await asyncio.gather(bare("c"), client.own("c"))
    assert_type(content, bytes)
    assert_type(names, list[str])
    assert_type(await started(client.get("b")), bytes)
    assert_type(await asyncio.ensure_future(bare("d")), bytes)

    # Of the cache: the awaited result.
    bare.cache_put(b"", "x")
    fetched.cache_put(b"", "x", retries=2)
    client.get.cache_put(b"", "x")
    client.own.cache_put(["x"], "x", deep=True)
    Client.own.cache_for(client).cache_put(["x"], "x")
    assert_type(fetched.cache_contains("x", retries=2), bool)
    assert_type(client.get.cache_contains("x"), bool)
    assert_type(client.own.cache_invalidate("x"), bool)
    assert_type(await fetched.cache_refresh("x"), bytes)
    assert_type(await client.get.cache_refresh("x"), bytes)
    assert_type(await bare.__wrapped__("x"), bytes)
    for cached in (bare, fetched, client.get, client.own):
        cached.cache_clear()
    assert inspect.iscoroutinefunction(bare)


asyncio.run(main())
