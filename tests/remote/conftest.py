"""Tiers of a server that is the test's own, or of one that the tests of the folder share."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from helpers.server_tools import Proxy, ServerProcess, running_server

redis = pytest.importorskip("redis")

from tamis.remote import Redis  # noqa: E402

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Collects after each test, so that a socket that is left open is told of where it was made.

    Free-threaded builds collect much garbage in any order: sockets before the connections that close them.
    """
    yield
    gc.collect()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server for all tests that do nothing to it."""
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(tmp_path: Any) -> Iterator[ServerProcess]:
    """A server of the test's own."""
    with running_server(tmp_path) as server:
        yield server


@pytest.fixture
def namespace() -> str:
    """A namespace of the test's own."""
    return f"test-{next(_numbers)}"


@pytest.fixture
def make_tier(namespace: str) -> Iterator[Callable[..., Redis]]:
    """Makes tiers of the test's namespace, which stand for processes, and closes them."""
    made: list[Redis] = []

    def make(server: ServerProcess | Proxy, **options: Any) -> Redis:
        # Patient, since machines may be busy: what is about time says so.
        tier = Redis(server.url, **{"namespace": namespace, "timeout": 5, "deadline": 5, **options})
        made.append(tier)
        return tier

    yield make
    for tier in made:
        tier.close()


@pytest.fixture
def tier(make_tier: Callable[..., Redis], shared_server: ServerProcess) -> Redis:
    """A tier on the server that tests share."""
    return make_tier(shared_server)


@pytest.fixture
def proxy(shared_server: ServerProcess) -> Iterator[Proxy]:
    """A proxy before the server that tests share."""
    proxy = Proxy(shared_server.port)
    yield proxy
    proxy.stop()
