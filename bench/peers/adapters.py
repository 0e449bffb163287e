"""Who is measured: a small class for each cache.

To add one, derive from `Peer`, say how it decorates, and name it in `PEERS`. What a cache can't do stays as it is here,
or raises `Cannot` with the reason, which the tables show.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import sys
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

Function = Callable[..., Any]

_names = count()


class Cannot(Exception):
    """The cache has no such thing; the message says what is missing."""


class Peer:
    """A cache as the scenarios see it."""

    name = ""  # as tables show it
    package = ""  # what pip installs; empty for the standard library
    module = ""  # what is imported

    def load(self) -> Any:
        """The module. Raises ImportError."""
        return importlib.import_module(self.module)

    def version(self) -> str:
        """Of the package, or of Python."""
        return importlib.metadata.version(self.package) if self.package else sys.version.split()[0]

    def decorate(self, function: Function, maxsize: int, ttl: float | None = None) -> Function:
        """A cached function."""
        raise Cannot("has no decorator for functions")

    def decorate_async(self, function: Function, maxsize: int) -> Function:
        """A cached coroutine function; concurrent misses compute once, if it can do that."""
        raise Cannot("has no decorator for coroutine functions")

    def decorate_shared(self, function: Function, maxsize: int, path: str) -> Function:
        """A cached function, whose entries other processes see. `path` is a directory that is removed afterwards."""
        raise Cannot("has no cache that processes share")

    def mapping(self, maxsize: int) -> Any:
        """A mapping that evicts."""
        raise Cannot("has no mapping")


class Tamis(Peer):
    name = package = module = "tamis"

    def version(self) -> str:
        return str(self.load().__version__)  # also where it is not installed, but lies on the path

    def decorate(self, function: Function, maxsize: int, ttl: float | None = None) -> Function:
        options = {} if ttl is None else {"ttl": ttl}
        return self.load().lru_cache(maxsize=maxsize, **options)(function)  # type: ignore[no-any-return]

    def decorate_async(self, function: Function, maxsize: int) -> Function:
        return self.decorate(function, maxsize)

    def decorate_shared(self, function: Function, maxsize: int, path: str) -> Function:
        options = {"backend": "shared", "path": path, "name": f"peers {next(_names)}"}
        return self.load().lru_cache(maxsize=maxsize, **options)(function)  # type: ignore[no-any-return]

    def mapping(self, maxsize: int) -> Any:
        return self.load().SieveCache(maxsize)


class Functools(Peer):
    name = module = "functools"

    def decorate(self, function: Function, maxsize: int, ttl: float | None = None) -> Function:
        if ttl is not None:
            raise Cannot("has no ttl")
        return functools.lru_cache(maxsize=maxsize)(function)

    def decorate_async(self, function: Function, maxsize: int) -> Function:
        raise Cannot("would store the coroutine, which can be awaited once")


class WarpCache(Peer):
    name = package = module = "warp_cache"

    def decorate(self, function: Function, maxsize: int, ttl: float | None = None) -> Function:
        return self.load().cache(max_size=maxsize, ttl=ttl)(function)  # type: ignore[no-any-return]

    def decorate_async(self, function: Function, maxsize: int) -> Function:
        return self.decorate(function, maxsize)

    def decorate_shared(self, function: Function, maxsize: int, path: str) -> Function:
        # Its regions go by module and qualified name, and lie in one directory.
        function.__qualname__ = f"{path.rpartition('/')[2]}_{next(_names)}"
        return self.load().cache(max_size=maxsize, backend="shared")(function)  # type: ignore[no-any-return]


class Cachebox(Peer):
    name = package = module = "cachebox"

    def decorate(self, function: Function, maxsize: int, ttl: float | None = None) -> Function:
        # Its own default copies dicts, lists and sets at each hit; others don't, and here no value is one.
        cache = self.mapping(maxsize) if ttl is None else self.load().TTLCache(maxsize, global_ttl=ttl)
        return self.load().cached(cache)(function)  # type: ignore[no-any-return]

    def decorate_async(self, function: Function, maxsize: int) -> Function:
        return self.decorate(function, maxsize)

    def mapping(self, maxsize: int) -> Any:
        return self.load().LRUCache(maxsize)


class Moka(Peer):
    name, package, module = "moka-py", "moka-py", "moka_py"

    def decorate(self, function: Function, maxsize: int, ttl: float | None = None) -> Function:
        return self.load().cached(maxsize=maxsize, ttl=ttl)(function)  # type: ignore[no-any-return]

    def decorate_async(self, function: Function, maxsize: int) -> Function:
        return self.load().cached(maxsize=maxsize, wait_concurrent=True)(function)  # type: ignore[no-any-return]

    def mapping(self, maxsize: int) -> Any:
        return _Mapping(self.load().Moka(maxsize))


class Cachetools(Peer):
    name = package = module = "cachetools"

    def decorate(self, function: Function, maxsize: int, ttl: float | None = None) -> Function:
        # Its decorators for those who come from functools: they lock.
        func = importlib.import_module("cachetools.func")
        made = func.lru_cache(maxsize) if ttl is None else func.ttl_cache(maxsize, ttl)
        return made(function)  # type: ignore[no-any-return]

    def mapping(self, maxsize: int) -> Any:
        return self.load().LRUCache(maxsize)


class Theine(Peer):
    name = package = module = "theine"

    def decorate(self, function: Function, maxsize: int, ttl: float | None = None) -> Function:
        span = None if ttl is None else timedelta(seconds=ttl)
        return self.load().Memoize(maxsize, span)(function)  # type: ignore[no-any-return]

    def decorate_async(self, function: Function, maxsize: int) -> Function:
        return self.decorate(function, maxsize)

    def mapping(self, maxsize: int) -> Any:
        return _Mapping(self.load().Cache(maxsize))


class AsyncLru(Peer):
    name, package, module = "async-lru", "async-lru", "async_lru"

    def decorate_async(self, function: Function, maxsize: int) -> Function:
        return self.load().alru_cache(maxsize=maxsize)(function)  # type: ignore[no-any-return]


class LruDict(Peer):
    name, package, module = "lru-dict", "lru-dict", "lru"

    def mapping(self, maxsize: int) -> Any:
        return self.load().LRU(maxsize)


class _Mapping:
    """Gives a cache with set() the [] that the loop uses; the loop of reading takes the cache's own get()."""

    def __init__(self, cache: Any) -> None:
        self.get = cache.get
        self._set = cache.set

    def __setitem__(self, key: Any, value: Any) -> None:
        self._set(key, value)


PEERS: list[Peer] = [
    Tamis(), Functools(), WarpCache(), Cachebox(), Moka(), Cachetools(), Theine(), AsyncLru(), LruDict(),
]  # fmt: skip


def find(name: str) -> Peer:
    """The peer of this name. Raises KeyError."""
    return {peer.name: peer for peer in PEERS}[name]
