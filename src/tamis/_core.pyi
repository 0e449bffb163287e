from collections.abc import Callable, Coroutine, Hashable, Iterable
from datetime import timedelta
from os import PathLike
from typing import (
    Any,
    Concatenate,
    Generic,
    Literal,
    ParamSpec,
    Protocol,
    SupportsFloat,
    SupportsIndex,
    TypeAlias,
    TypedDict,
    TypeVar,
    final,
    overload,
)

from typing_extensions import NotRequired, Unpack

from tamis._info import CacheInfo

_P = ParamSpec("_P")
_Q = ParamSpec("_Q")
_R = TypeVar("_R")
_R_co = TypeVar("_R_co", covariant=True)
_T = TypeVar("_T")
_Wrapper = TypeVar("_Wrapper", bound=lru_cache_wrapper[..., Any])

__version__: str

class _Build(TypedDict):
    profile: str
    index: str
    lock: Literal["gil", "hazards", "mutex"]
    free_threaded: bool

BUILD: _Build
# The capsule behind tamis.h.
_C_API: object

def _on_death(callable: Callable[[int, dict[str, int]], object] | None, /) -> None: ...

# The bytes of values and keys in shared caches: for tests, and for looking into regions.
def _dumps(value: object, /) -> bytes: ...
def _canonical(value: object, /) -> bytes | None: ...
def _loads(content: bytes, /) -> tuple[Any, bool] | None: ...
def _key(args: tuple[Any, ...], kwargs: dict[str, Any], typed: bool, /) -> bytes: ...
def _call(key: bytes, /) -> tuple[tuple[Any, ...], tuple[tuple[str, Any], ...]] | None: ...

# For `python -m tamis shared`. A directory is None for the user's own in /dev/shm; a region is named by its file.
def _regions(path: str | None, /) -> tuple[str, list[dict[str, Any]] | None]: ...
def _region_entries(path: str | None, file: str, most: int, with_values: bool, /) -> list[dict[str, Any]] | None: ...
def _region_clear(path: str | None, file: str, /) -> int | None: ...
def _region_remove(path: str | None, file: str, /) -> bool: ...

# An int, a float, or whatever can be made one, such as the numbers of numpy.
_Number: TypeAlias = SupportsFloat | SupportsIndex
_Seconds: TypeAlias = _Number | timedelta
_Cause: TypeAlias = Literal["size", "expired", "invalidated", "replaced", "cleared"]

class _Serializer(Protocol):
    def dumps(self, obj: Any, /) -> bytes: ...
    def loads(self, content: bytes, /) -> Any: ...

# What lru_cache() and cache() take beside maxsize and typed. None is as if an option were not given.
class _Options(TypedDict, total=False):
    ttl: _Seconds | Callable[[Any], _Seconds | None] | None
    tti: _Seconds | None
    jitter: _Number | None
    stale: _Seconds | None
    key: Callable[..., Hashable] | None
    ignore: str | Iterable[str] | None
    single_flight: bool | None
    weigher: Callable[[Any], _Number] | None
    maxweight: _Number | None
    on_evict: Callable[[Any, Any, _Cause], object] | None
    copy: bool | Callable[[Any], Any] | None
    clock: Callable[[], _Number] | None
    backend: Literal["memory", "shared"] | None
    name: str | None
    path: str | PathLike[str] | None
    max_bytes: _Number | None
    serializer: _Serializer | None

class _Parameters(_Options):
    maxsize: int | None
    typed: bool

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
    # With backend="shared".
    bytes: NotRequired[int]
    oversize: NotRequired[int]
    unserializable: NotRequired[int]
    recoveries: NotRequired[int]

class _Cached(Generic[_P, _R_co]):
    @property
    def __wrapped__(self) -> Callable[_P, _R_co]: ...
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co: ...
    def cache_info(self) -> CacheInfo: ...
    def cache_clear(self) -> None: ...
    def cache_parameters(self) -> _Parameters: ...
    def cache_stats(self) -> _Stats: ...

@final
class lru_cache_wrapper(_Cached[_P, _R_co]):
    __name__: str
    __qualname__: str
    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> lru_cache_wrapper[_P, _R_co]: ...
    @overload
    def __get__(
        self: lru_cache_wrapper[Concatenate[_T, _Q], _R], instance: _T, owner: type | None = None, /
    ) -> _BoundCached[_Q, _R]: ...
    def cache_contains(self, *args: _P.args, **kwargs: _P.kwargs) -> bool: ...
    def cache_invalidate(self, *args: _P.args, **kwargs: _P.kwargs) -> bool: ...
    # Of a coroutine function the awaited result.
    @overload
    def cache_put(
        self: lru_cache_wrapper[_P, Coroutine[Any, Any, _T]], value: _T, /, *args: _P.args, **kwargs: _P.kwargs
    ) -> None: ...
    @overload
    def cache_put(self, value: _R_co, /, *args: _P.args, **kwargs: _P.kwargs) -> None: ...  # type: ignore[misc]
    def cache_refresh(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co: ...
    def __copy__(self: _Wrapper) -> _Wrapper: ...
    def __deepcopy__(self: _Wrapper, memo: Any, /) -> _Wrapper: ...

# What a cached method is on an instance: types.MethodType, which hands attributes on to the function. Those that take
# the call's arguments take the instance too, which a type can't say here: reach them through the class.
class _BoundCached(_Cached[_P, _R_co]): ...

@final
class cached_method_wrapper(Generic[_P, _R_co]):
    __name__: str
    __qualname__: str
    @property
    def __wrapped__(self) -> Callable[_P, _R_co]: ...
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co: ...
    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> cached_method_wrapper[_P, _R_co]: ...
    @overload
    def __get__(
        self: cached_method_wrapper[Concatenate[_T, _Q], _R], instance: _T, owner: type | None = None, /
    ) -> Callable[_Q, _R]: ...
    def cache_parameters(self) -> _Parameters: ...
    def cache_for(
        self: cached_method_wrapper[Concatenate[_T, _Q], _R], instance: _T, /
    ) -> lru_cache_wrapper[_Q, _R]: ...

# The types of the same made of coroutine functions.
async_lru_cache_wrapper = lru_cache_wrapper
async_cached_method_wrapper = cached_method_wrapper

# A class method that a cached method is made from, so that its cache knows the class.
@final
class class_method(classmethod[Any, _P, _R_co]): ...

class _MethodDecorator:
    def __call__(self, method: Callable[_P, _R], /) -> cached_method_wrapper[_P, _R]: ...

class _Decorator:
    def __call__(self, user_function: Callable[_P, _R], /) -> lru_cache_wrapper[_P, _R]: ...

@overload
def lru_cache(
    maxsize: Callable[_P, _R], typed: bool = False, **options: Unpack[_Options]
) -> lru_cache_wrapper[_P, _R]: ...
@overload
def lru_cache(maxsize: int | None = 128, typed: bool = False, **options: Unpack[_Options]) -> _Decorator: ...
@overload
def cache(
    user_function: Callable[_P, _R],
    /,
    *,
    maxsize: int | None = None,
    typed: bool = False,
    **options: Unpack[_Options],
) -> lru_cache_wrapper[_P, _R]: ...
@overload
def cache(
    user_function: None = None,
    /,
    *,
    maxsize: int | None = None,
    typed: bool = False,
    **options: Unpack[_Options],
) -> _Decorator: ...
@overload
def cached_method(
    maxsize: Callable[_P, _R], typed: bool = False, **options: Unpack[_Options]
) -> cached_method_wrapper[_P, _R]: ...
@overload
def cached_method(maxsize: int | None = 128, typed: bool = False, **options: Unpack[_Options]) -> _MethodDecorator: ...
