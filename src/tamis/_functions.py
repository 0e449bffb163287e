"""The types of cached functions, under their public names. What they are for checkers is in _functions.pyi."""

from tamis._core import async_lru_cache_wrapper as AsyncCachedFunction
from tamis._core import lru_cache_wrapper as CachedFunction

__all__ = ["AsyncCachedFunction", "CachedFunction"]
