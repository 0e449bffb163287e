from collections.abc import Callable, Iterator, MutableMapping
from datetime import timedelta
from typing import Any, ClassVar, Literal, SupportsFloat, SupportsIndex, TypeAlias, TypedDict, TypeVar

from typing_extensions import Self

from tamis._info import CacheInfo

_K = TypeVar("_K")
_V = TypeVar("_V")

_Number: TypeAlias = SupportsFloat | SupportsIndex
_Seconds: TypeAlias = _Number | timedelta
_Cause: TypeAlias = Literal["size", "expired", "invalidated", "replaced", "cleared"]

class _Stats(TypedDict):
    hits: int
    misses: int
    evictions: int
    expirations: int
    invalidations: int
    stale_hits: int
    coalesced: int
    currsize: int
    weight: int

class SieveCache(MutableMapping[_K, _V]):
    def __init__(
        self,
        maxsize: int | None,
        *,
        ttl: _Seconds | Callable[[_V], _Seconds | None] | None = None,
        weigher: Callable[[_V], _Number] | None = None,
        maxweight: _Number | None = None,
        on_evict: Callable[[_K, _V, _Cause], object] | None = None,
    ) -> None: ...
    @property
    def maxsize(self) -> int | None: ...
    def __getitem__(self, key: _K, /) -> _V: ...
    def __setitem__(self, key: _K, value: _V, /) -> None: ...
    def __delitem__(self, key: _K, /) -> None: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __iter__(self) -> Iterator[_K]: ...
    def __len__(self) -> int: ...
    def get_or_compute(self, key: _K, factory: Callable[[], _V], /) -> _V: ...
    def info(self) -> CacheInfo: ...
    def stats(self) -> _Stats: ...
    def copy(self) -> Self: ...
    def __copy__(self) -> Self: ...
    def __setstate__(self, state: tuple[Any, ...], /) -> None: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]
