from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from tamis._core import lru_cache_wrapper
from tamis._typing import _P, _R

__all__ = ["AsyncCachedFunction", "CachedFunction"]

CachedFunction: TypeAlias = lru_cache_wrapper[Callable[_P, _R]]
AsyncCachedFunction: TypeAlias = lru_cache_wrapper[Callable[_P, Coroutine[Any, Any, _R]]]
