"""A memoizing cache: ``from tamis import lru_cache`` in place of ``from functools import lru_cache``."""

from tamis._core import __version__, cache, cached_method, lru_cache

# As typing.TYPE_CHECKING is for type checkers, which go by the name; importing typing would cost more than tamis.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from tamis._info import CacheInfo
    from tamis._mapping import SieveCache
    from tamis._patch import patch, unpatch

__all__ = ["CacheInfo", "SieveCache", "__version__", "cache", "cached_method", "lru_cache", "patch", "unpatch"]


def __getattr__(name: str) -> object:
    # Made when they are asked for: they need modules that take longer to import than tamis.
    value: object
    if name == "CacheInfo":
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
