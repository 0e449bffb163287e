"""A memoizing cache: ``from tamis import lru_cache`` in place of ``from functools import lru_cache``."""

from tamis._core import __version__, cache, cached_method, lru_cache

# As typing.TYPE_CHECKING is for type checkers, which go by the name; importing typing would cost more than tamis.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from tamis._info import CacheInfo

__all__ = ["CacheInfo", "__version__", "cache", "cached_method", "lru_cache"]


def __getattr__(name: str) -> object:
    # Made with the first cache, or asked for: a named tuple needs modules that take longer to import than tamis.
    if name == "CacheInfo":
        from tamis._info import CacheInfo

        globals()[name] = CacheInfo
        return CacheInfo
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__} - {"TYPE_CHECKING"})
