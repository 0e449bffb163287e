from collections.abc import Callable, Hashable, Iterable
from datetime import timedelta
from os import PathLike
from typing import Any, Literal, NamedTuple, Protocol, SupportsFloat, SupportsIndex, TypeAlias, TypedDict

from typing_extensions import NotRequired

class CacheInfo(NamedTuple):
    hits: int
    misses: int
    maxsize: int | None
    currsize: int

# What types the options have, and what caches tell of themselves: for type checkers alone.
# An int, a float, or whatever can be made one, such as the numbers of numpy.
_Number: TypeAlias = SupportsFloat | SupportsIndex
_Seconds: TypeAlias = _Number | timedelta
_Cause: TypeAlias = Literal["size", "expired", "invalidated", "replaced", "cleared"]

class _Serializer(Protocol):
    def dumps(self, obj: Any, /) -> bytes: ...
    def loads(self, content: bytes, /) -> Any: ...

# What backend takes beside its words: a tier such as tamis.remote.Redis.
class _Tier(Protocol):
    def _open(self, function: Any, options: Any, coroutine: bool, /) -> tuple[Any, Any]: ...

# What lru_cache() and cache() take beside maxsize and typed. None is as if an option were not given.
class _Options(TypedDict, total=False):
    ttl: _Seconds | Callable[[Any], _Seconds | None] | None
    tti: _Seconds | None
    jitter: _Number | None
    stale: _Seconds | None
    stale_if_error: _Seconds | None
    retry: _Seconds | None
    background: bool | Callable[[Callable[[], Any]], object] | None
    key: Callable[..., Hashable] | None
    ignore: str | Iterable[str] | None
    single_flight: bool | None
    weigher: Callable[[Any], _Number] | None
    maxweight: _Number | None
    on_evict: Callable[[Any, Any, _Cause], object] | None
    copy: bool | Callable[[Any], Any] | None
    clock: Callable[[], _Number] | None
    backend: Literal["memory", "shared"] | _Tier | None
    name: str | None
    path: str | PathLike[str] | None
    max_bytes: _Number | None
    serializer: _Serializer | None

# What cache() takes.
class _CacheOptions(_Options, total=False):
    maxsize: SupportsIndex | None
    typed: bool

# What cache_parameters() and cache_stats() return.
class _Parameters(_Options):
    maxsize: int | None
    typed: bool

class _MappingStats(TypedDict):
    hits: int
    misses: int
    evictions: int
    expirations: int
    invalidations: int
    stale_hits: int
    coalesced: int
    currsize: int
    weight: int

class _Stats(_MappingStats):
    # With stale_if_error, and with a tier.
    errors: NotRequired[int]
    # With backend="shared", the middle two with a tier as well.
    bytes: NotRequired[int]
    oversize: NotRequired[int]
    unserializable: NotRequired[int]
    recoveries: NotRequired[int]
    # With a tier.
    near_hits: NotRequired[int]
    tier_hits: NotRequired[int]
    pushes: NotRequired[int]
    reconnects: NotRequired[int]
