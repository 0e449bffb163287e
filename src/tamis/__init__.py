"""A memoizing cache: ``from tamis import lru_cache`` in place of ``from functools import lru_cache``."""

from tamis._core import __version__, cache, cached_method, caches, lru_cache

# As typing.TYPE_CHECKING is for type checkers, which go by the name; importing typing would cost more than tamis.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from tamis._functions import AsyncCachedFunction, CachedFunction
    from tamis._info import CacheInfo
    from tamis._mapping import SieveCache
    from tamis._patch import patch, unpatch

__all__ = [
    "AsyncCachedFunction",
    "CacheInfo",
    "CachedFunction",
    "SieveCache",
    "__version__",
    "cache",
    "cached_method",
    "caches",
    "get_include",
    "lru_cache",
    "patch",
    "unpatch",
]


def get_include() -> str:
    """Name the directory that tamis.h is in, for those who compile against it."""
    import os

    here = os.path.dirname(os.path.abspath(__file__))
    # Beside this file once it is installed; where it is written in a source tree, which an editable install points to.
    for folder in (os.path.join(here, "include"), os.path.join(here, os.pardir, os.pardir, "include")):
        if os.path.isfile(os.path.join(folder, "tamis.h")):
            return os.path.normpath(folder)
    raise FileNotFoundError(f"tamis.h is not there: {here} is no whole installation of tamis")


def __getattr__(name: str) -> object:
    # Made when they are asked for: they need modules that take longer to import than tamis.
    value: object
    if name in ("CachedFunction", "AsyncCachedFunction"):
        from tamis import _functions

        value = getattr(_functions, name)
    elif name == "CacheInfo":
        from tamis._info import CacheInfo

        value = CacheInfo
    elif name == "SieveCache":
        from tamis._mapping import SieveCache

        value = SieveCache
    elif name in ("patch", "unpatch"):
        from tamis import _patch

        value = getattr(_patch, name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__} - {"TYPE_CHECKING"})
