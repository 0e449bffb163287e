"""asgiref, anyio, FastAPI: cached coroutine functions and functions where frameworks call them."""

from __future__ import annotations

import asyncio
import json
from types import ModuleType
from typing import Any

import tamis
from helpers.package_tools import as_functools, package

anyio = package("anyio")
sync = package("asgiref.sync")
fastapi = package("fastapi")


async def get(app: Any, path: str, query: str = "") -> Any:
    """Ask an ASGI application, without a server."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [],
        "http_version": "1.1",
    }
    scope |= {
        "asgi": {"version": "3.0"},
        "scheme": "http",
        "server": ("test", 80),
        "client": ("test", 1),
        "root_path": "",
    }
    await app(scope, receive, send)
    assert sent[0]["status"] == 200, sent
    return json.loads(b"".join(message.get("body", b"") for message in sent[1:]))


@as_functools
def test_fastapi_takes_cached_dependencies_and_routes(caches: ModuleType):
    app = fastapi.FastAPI()
    calls = []

    @caches.lru_cache
    def settings(size: int = 3) -> dict[str, int]:
        calls.append(size)
        return {"size": size}

    class Service:
        @caches.lru_cache
        def limit(self, most: int = 5) -> int:
            return most

    service = Service()

    @app.get("/depends")
    def depends(found: dict = fastapi.Depends(settings), limit: int = fastapi.Depends(service.limit)) -> list:  # noqa: B008
        return [found, limit]

    @app.get("/route")
    @caches.cache
    def route(number: int) -> dict[str, int]:
        return {"number": number}

    async def main() -> None:
        assert await get(app, "/depends") == [{"size": 3}, 5]
        assert await get(app, "/depends", "size=4&most=6") == [{"size": 4}, 6]
        assert await get(app, "/depends", "size=4") == [{"size": 4}, 5]
        assert await get(app, "/route", "number=7") == await get(app, "/route", "number=7") == {"number": 7}
        app.dependency_overrides[settings] = lambda: {"size": 0}
        assert await get(app, "/depends") == [{"size": 0}, 5]

    asyncio.run(main())
    assert calls == [3, 4]
    assert route.cache_info()[:2] == (1, 1)
    parameters = app.openapi()["paths"]["/depends"]["get"]["parameters"]
    assert [parameter["name"] for parameter in parameters] == ["size", "most"]


def test_fastapi_awaits_cached_coroutine_functions():
    app = fastapi.FastAPI()
    calls = []

    @tamis.cache(ttl=60)
    async def settings(size: int = 3) -> dict[str, int]:
        calls.append(size)
        await asyncio.sleep(0)
        return {"size": size}

    @app.get("/depends")
    async def depends(found: dict = fastapi.Depends(settings)) -> dict:  # noqa: B008
        return found

    @app.get("/route")
    @tamis.cache
    async def route(number: int) -> dict[str, int]:
        return {"number": number}

    async def main() -> None:
        answers = await asyncio.gather(*(get(app, "/depends", "size=4") for _ in range(3)))
        assert answers == [{"size": 4}] * 3
        assert await get(app, "/route", "number=7") == await get(app, "/route", "number=7") == {"number": 7}

    asyncio.run(main())
    assert calls == [4]
    assert route.cache_info()[:2] == (1, 1)


@as_functools
def test_asgiref_runs_a_cached_function_in_its_thread(caches: ModuleType):
    @caches.cache
    def double(number: int) -> int:
        return 2 * number

    async def main() -> list[int]:
        run = sync.sync_to_async(double)
        return [await run(2), await run(2)]

    assert asyncio.run(main()) == [4, 4]
    assert double.cache_info()[:2] == (1, 1)


def test_asgiref_waits_for_a_cached_coroutine_function():
    @tamis.cache
    async def double(number: int) -> int:
        return 2 * number

    assert sync.iscoroutinefunction(double)
    wait = sync.async_to_sync(double)
    assert wait(2) == wait(2) == 4
    assert double.cache_info()[:2] == (1, 1)


def test_what_asgiref_makes_of_a_function_is_cached_as_a_coroutine_function():
    calls = []

    @tamis.cache
    @sync.sync_to_async
    def double(number: int) -> int:
        calls.append(number)
        return 2 * number

    async def main() -> list[int]:
        return [await double(2), await double(2)]

    assert asyncio.run(main()) == [4, 4]
    assert calls == [2]


@as_functools
def test_anyio_runs_a_cached_function_in_a_thread(caches: ModuleType):
    assert anyio.run(anyio.to_thread.run_sync, caches.cache(len), "abc") == 3


def test_anyio_runs_cached_coroutine_functions_on_both_backends():
    for backend in ("asyncio", "trio"):

        @tamis.cache
        async def double(number: int) -> int:
            await anyio.sleep(0)
            return 2 * number

        async def main(double: Any = double) -> None:
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(double, 2)
            assert await double(2) == 4
            assert double.cache_info().currsize == 1

        anyio.run(main, backend=backend)
