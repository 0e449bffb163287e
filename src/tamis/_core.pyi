# mypy: disable-error-code="assignment, misc, override, overload-overlap, overload-cannot-match"
# pyright: reportOverlappingOverload=false, reportIncompatibleMethodOverride=false
# pyright: reportIncompatibleVariableOverride=false

from collections.abc import Callable, Coroutine
from functools import _lru_cache_wrapper
from typing import Any, Concatenate, Generic, Literal, SupportsIndex, TypeAlias, TypedDict, final, overload

from typing_extensions import Never, Self, Unpack

from tamis._info import CacheInfo, _CacheOptions, _Options, _Parameters, _Stats
from tamis._typing import (
    _F,
    _P,
    _R,
    _S,
    _T,
    _Anything,
    _Call,
    _ClsF,
    _F_co,
    _G_co,
    _Generic,
    _GenericMethod,
    _LooseF,
    _Of,
    _OfCls,
    _OfSelf,
    _R_co,
    _S_co,
    _SelfF,
    _TakesCls,
    _TakesSelf,
    _W_co,
)

__version__: str

class _Build(TypedDict):
    profile: str
    index: str
    lock: Literal["gil", "hazards", "mutex"]
    free_threaded: bool

BUILD: _Build
# The capsule behind tamis.h.
_C_API: object

# What the modules of the package call of the compiled part, and nobody else. For `_report.py`:
def _on_death(callable: Callable[[int, dict[str, int]], object] | None, /) -> None: ...
def caches() -> list[lru_cache_wrapper[Any]]: ...

# For `_identity` and `_pickled.py`: None where a value has no such bytes.
def _canonical(value: object, /) -> bytes | None: ...

# For `_regions`: the bytes of values and keys in shared caches; None where they are damaged. Tests have the way there.
def _dumps(value: object, /) -> bytes: ...
def _loads(content: bytes, /) -> tuple[Any, bool] | None: ...
def _key(args: tuple[Any, ...], kwargs: dict[str, Any], typed: bool, /) -> bytes: ...
def _call(key: bytes, /) -> tuple[tuple[Any, ...], tuple[tuple[str, Any], ...]] | None: ...

# For `remote`. Values of exact built-in types alone: None of another one, or False where there are more bytes than
# `most`; and None of damaged bytes.
def _encode(value: object, most: int, /) -> bytes | Literal[False] | None: ...
def _decode(content: bytes, /) -> tuple[Any] | None: ...

# For how many nanoseconds a value is fresh, and to be used at all; None of one of them for ever. None where it was
# computed, and ttl failed, which is reported.
def _spans(cached: object, value: object, computed: bool, /) -> tuple[int | None, int | None] | None: ...
def _watch() -> Any: ...

# For `_regions` too. A directory is None for the user's own in /dev/shm; a region is named by its file.
def _regions(path: str | None, /) -> tuple[str, list[dict[str, Any]] | None]: ...
def _region_entries(path: str | None, file: str, most: int, with_values: bool, /) -> list[dict[str, Any]] | None: ...
def _region_clear(path: str | None, file: str, /) -> int | None: ...
def _region_remove(path: str | None, file: str, /) -> bool: ...

# What `_mapping.py` makes tamis.SieveCache of: that has the types of the public methods.
class SieveCacheBase:
    def __init__(self, maxsize: SupportsIndex | None, **options: Any) -> None: ...
    @property
    def maxsize(self) -> int | None: ...
    # Keys with values, from the oldest to the newest.
    def _pairs(self) -> list[tuple[Any, Any]]: ...
    # The value in a tuple, or an empty one.
    def _peek(self, key: object, /) -> tuple[Any, ...]: ...
    # maxsize, options, entries from the oldest to the newest, and where the hand of SIEVE is.
    def _snapshot(self) -> tuple[int | None, dict[str, Any], list[tuple[Any, ...]], int]: ...
    def _restore(self, entries: list[tuple[Any, ...]], hand: int, /) -> None: ...
    # Puts the methods of this class into a subclass, so that calls need not look them up in a base.
    @staticmethod
    def _lend(subclass: type[SieveCacheBase], /) -> None: ...

class _Named:
    __name__: str
    __qualname__: str

# Of a call with the parameters and the result of this function.
class _Cached(_Named, Generic[_F_co]):
    def cache_info(self) -> CacheInfo: ...
    def cache_clear(self) -> None: ...
    def cache_parameters(self) -> _Parameters: ...
    def cache_expire(self) -> int: ...
    def cache_stats(self) -> _Stats: ...
    @overload
    def cache_contains(self: _Cached[Callable[_P, Any]], *args: _P.args, **kwargs: _P.kwargs) -> bool: ...
    @overload
    def cache_contains(self: _Cached[_Generic[Any]], *args: Any, **kwargs: Any) -> bool: ...
    @overload
    def cache_invalidate(self: _Cached[Callable[_P, Any]], *args: _P.args, **kwargs: _P.kwargs) -> bool: ...
    @overload
    def cache_invalidate(self: _Cached[_Generic[Any]], *args: Any, **kwargs: Any) -> bool: ...
    # Of a coroutine function the awaited result.
    @overload
    def cache_put(
        self: _Cached[Callable[_P, Coroutine[Any, Any, _T]]], value: _T, /, *args: _P.args, **kwargs: _P.kwargs
    ) -> None: ...
    @overload
    def cache_put(self: _Cached[Callable[_P, _T]], value: _T, /, *args: _P.args, **kwargs: _P.kwargs) -> None: ...
    @overload
    def cache_put(self: _Cached[_Generic[Any]], value: Any, /, *args: Any, **kwargs: Any) -> None: ...
    @property
    def cache_refresh(self) -> _F_co: ...

# On an instance, or a class method on its class: types.MethodType, but for the cache.
@final
class _Bound(_Cached[_F_co], Generic[_S_co, _F_co]):
    __call__: _Call[_F_co]
    __self__: _S_co
    __func__: Any
    @property
    def __wrapped__(self: _Bound[_S, Callable[_P, _R]]) -> Callable[Concatenate[_S, _P], _R]: ...

# A method or a static one: nothing shows which of them.
@final
class _MaybeBound(_Cached[_G_co], Generic[_F_co, _G_co]):
    __wrapped__: _Call[_F_co]
    @overload
    def __call__(_self: _MaybeBound[Any, Callable[_P, _R]], *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    @overload
    def __call__(_self: _MaybeBound[Callable[_P, _R], Any], *args: _P.args, **kwargs: _P.kwargs) -> _R: ...

# isinstance() takes it for functools' type.
class lru_cache_wrapper(_Cached[_F_co], _lru_cache_wrapper[Any]):  # pyright: ignore[reportGeneralTypeIssues]
    __call__: _Call[_F_co]
    __wrapped__: _Call[_F_co]
    @overload
    def __get__(
        self: lru_cache_wrapper[_Generic[_Of[_Anything]]], instance: object, owner: object = None, /
    ) -> _Bound[Any, Callable[..., Any]]: ...
    @overload
    def __get__(
        self: lru_cache_wrapper[Callable[Concatenate[_S, _P], _R]], instance: object, owner: _S, /
    ) -> _MaybeBound[_F_co, Callable[_P, _R]]: ...
    @overload
    def __get__(
        self: lru_cache_wrapper[Callable[Concatenate[_S, _P], _R]], instance: _S, owner: object = None, /
    ) -> _MaybeBound[_F_co, Callable[_P, _R]]: ...
    @overload
    def __get__(self, instance: object, owner: object = None, /) -> Self: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, memo: Any, /) -> Self: ...

@final
class _Loose(lru_cache_wrapper[_F_co]):
    def __get__(
        self: _Loose[Callable[..., _R]], instance: object, owner: object = None, /
    ) -> _Bound[Any, Callable[..., _R]]: ...

# By the class.
class _PerInstance(_Named, Generic[_F_co]):
    __call__: _Call[_F_co]
    __wrapped__: _Call[_F_co]
    def cache_parameters(self) -> _Parameters: ...
    def cache_for(
        self: _PerInstance[Callable[Concatenate[_S, _P], _R]], instance: _S, /
    ) -> lru_cache_wrapper[Callable[_P, _R]]: ...

# A static method has one cache, others have one for each instance.
class cached_method_wrapper(lru_cache_wrapper[_F_co], _PerInstance[_F_co]): ...

@final
class _LoosePerInstance(cached_method_wrapper[_F_co]):
    def __get__(
        self: _LoosePerInstance[Callable[..., _R]], instance: object, owner: object = None, /
    ) -> cached_method_wrapper[Callable[..., _R]]: ...

# Methods, for mypy. Where the type of their first parameter is generic, _S is Never.
@final
class _WithSelf(lru_cache_wrapper[_F_co], Generic[_F_co, _W_co]):
    @overload
    def __get__(self, instance: None, owner: object = None, /) -> _W_co: ...
    @overload
    def __get__(
        self: _WithSelf[Callable[Concatenate[_S, _P], _Of[Never]], Any], instance: _S, owner: object = None, /
    ) -> _Bound[_S, Callable[..., Any]]: ...
    @overload
    def __get__(
        self: _WithSelf[_GenericMethod[_S, _R], Any], instance: _S, owner: object = None, /
    ) -> _Bound[_S, Callable[..., _R]]: ...
    @overload
    def __get__(
        self: _WithSelf[Callable[Concatenate[_S, _P], _R], Any], instance: _S, owner: object = None, /
    ) -> _Bound[_S, Callable[_P, _R]]: ...
    @overload
    def __get__(
        self: _WithSelf[Callable[..., Never], Any], instance: _T, owner: object = None, /
    ) -> _Bound[Any, Callable[..., _T]]: ...
    @overload
    def __get__(
        self: _WithSelf[Callable[..., Coroutine[Any, Any, Never]], Any], instance: _T, owner: object = None, /
    ) -> _Bound[Any, Callable[..., Coroutine[Any, Any, _T]]]: ...
    @overload
    def __get__(self, instance: object, owner: object = None, /) -> _Bound[Any, Callable[..., Any]]: ...

@final
class _WithCls(lru_cache_wrapper[_F_co], Generic[_F_co, _W_co]):
    @overload
    def __get__(
        self: _WithCls[Callable[Concatenate[_S, _P], _Of[Never]], Any], instance: object, owner: _S, /
    ) -> _Bound[_S, Callable[..., Any]]: ...
    @overload
    def __get__(
        self: _WithCls[_GenericMethod[_S, _R], Any], instance: object, owner: _S, /
    ) -> _Bound[_S, Callable[..., _R]]: ...
    @overload
    def __get__(
        self: _WithCls[Callable[Concatenate[_S, _P], _R], Any], instance: object, owner: _S, /
    ) -> _Bound[_S, Callable[_P, _R]]: ...
    # In the class itself.
    @overload
    def __get__(
        self: _WithCls[Callable[Concatenate[type[_S], ...], _R], Any], instance: object, owner: type[_S], /
    ) -> _Bound[type[_S], Callable[..., _R]]: ...
    @overload
    def __get__(
        self: _WithCls[Callable[Concatenate[type[Never], ...], Never], Any], instance: object, owner: type[_T], /
    ) -> _Bound[Any, Callable[..., _T]]: ...
    @overload
    def __get__(
        self: _WithCls[Callable[Concatenate[type[Never], ...], Coroutine[Any, Any, Never]], Any],
        instance: object,
        owner: type[_T],
        /,
    ) -> _Bound[Any, Callable[..., Coroutine[Any, Any, _T]]]: ...
    @overload
    def __get__(
        self: _WithCls[Callable[Concatenate[type[Never], ...], Any], Any], instance: object, owner: object, /
    ) -> _Bound[Any, Callable[..., Any]]: ...
    @overload
    def __get__(self, instance: object, owner: object, /) -> _W_co: ...

# Methods, for others. They compare what lies in classes, where a method that overrides one has another self, and call
# that without self where a class stands for a Protocol.
class _Method(lru_cache_wrapper[Callable[..., Any]], Generic[_S_co, _F_co]):
    def __call__(_self: _Method[_S, Callable[_P, _R]], *args: _S | Any, **kwargs: Any) -> _R: ...
    @property
    def __wrapped__(self: _Method[_S, Callable[_P, _R]]) -> Callable[Concatenate[_S, _P], _R]: ...
    @overload
    def __get__(
        self: _Method[_S, Callable[_P, _R]], instance: None, owner: object = None, /
    ) -> lru_cache_wrapper[_TakesSelf[_S, _P, _R]]: ...
    @overload
    def __get__(self: _Method[_S, _F], instance: _S, owner: object = None, /) -> _Bound[_S, _F]: ...

@final
class _ClassMethod(_Method[_S_co, _F_co]):
    @overload
    def __get__(self: _ClassMethod[_S, _F], instance: object, owner: _S, /) -> _Bound[_S, _F]: ...
    @overload
    def __get__(
        self: _ClassMethod[_S, Callable[_P, _R]], instance: None, owner: object = None, /
    ) -> lru_cache_wrapper[_TakesCls[_S, _P, _R]]: ...
    @overload
    def __get__(self: _ClassMethod[_S, _F], instance: _S, owner: object = None, /) -> _Bound[_S, _F]: ...

@final
class _CachedMethod(_Method[_S_co, _F_co]):
    @overload
    def __get__(
        self: _CachedMethod[_S, Callable[_P, _R]], instance: None, owner: object = None, /
    ) -> _PerInstance[_TakesSelf[_S, _P, _R]]: ...
    @overload
    def __get__(self: _CachedMethod[_S, _F], instance: _S, owner: object = None, /) -> _Bound[_S, _F]: ...

_MethodOf: TypeAlias = _Method[_S, Callable[_P, _R]]
_ClassMethodOf: TypeAlias = _ClassMethod[_S, Callable[_P, _R]]
_CachedMethodOf: TypeAlias = _CachedMethod[_S, Callable[_P, _R]]
_SelfCached: TypeAlias = _WithSelf[_F, lru_cache_wrapper[_F]]
_ClsCached: TypeAlias = _WithCls[_F, lru_cache_wrapper[_F]]
_SelfPerInstance: TypeAlias = _WithSelf[_F, _PerInstance[_F]]
_ClsPerInstance: TypeAlias = _WithCls[_F, _PerInstance[_F]]

class _Decorator:
    @overload
    def __call__(self, user_function: type[_T], /) -> lru_cache_wrapper[Callable[..., _T]]: ...
    @overload
    def __call__(self, user_function: _OfSelf[_S, _P, _R], /) -> _MethodOf[_S, _P, _R]: ...
    @overload
    def __call__(self, user_function: _OfCls[_S, _P, _R], /) -> _ClassMethodOf[_S, _P, _R]: ...
    @overload
    def __call__(self, user_function: _LooseF, /) -> _Loose[_LooseF]: ...
    @overload
    def __call__(self, user_function: _SelfF, /) -> _SelfCached[_SelfF]: ...
    @overload
    def __call__(self, user_function: _ClsF, /) -> _ClsCached[_ClsF]: ...
    @overload
    def __call__(self, user_function: _F, /) -> lru_cache_wrapper[_F]: ...

class _MethodDecorator:
    @overload
    def __call__(self, method: classmethod[_S, _P, _R], /) -> _Bound[type[_S], Callable[_P, _R]]: ...
    @overload
    def __call__(self, method: _OfSelf[_S, _P, _R], /) -> _CachedMethodOf[_S, _P, _R]: ...
    @overload
    def __call__(self, method: _OfCls[_S, _P, _R], /) -> _ClassMethodOf[_S, _P, _R]: ...
    @overload
    def __call__(self, method: _LooseF, /) -> _LoosePerInstance[_LooseF]: ...
    @overload
    def __call__(self, method: _SelfF, /) -> _SelfPerInstance[_SelfF]: ...
    @overload
    def __call__(self, method: _ClsF, /) -> _ClsPerInstance[_ClsF]: ...
    @overload
    def __call__(self, method: _F, /) -> cached_method_wrapper[_F]: ...

@overload
def lru_cache(maxsize: SupportsIndex | None = 128, typed: bool = False, **options: Unpack[_Options]) -> _Decorator: ...
@overload
def lru_cache(
    maxsize: type[_T], typed: bool = False, **options: Unpack[_Options]
) -> lru_cache_wrapper[Callable[..., _T]]: ...
@overload
def lru_cache(
    maxsize: _OfSelf[_S, _P, _R], typed: bool = False, **options: Unpack[_Options]
) -> _MethodOf[_S, _P, _R]: ...
@overload
def lru_cache(
    maxsize: _OfCls[_S, _P, _R], typed: bool = False, **options: Unpack[_Options]
) -> _ClassMethodOf[_S, _P, _R]: ...
@overload
def lru_cache(maxsize: _LooseF, typed: bool = False, **options: Unpack[_Options]) -> _Loose[_LooseF]: ...
@overload
def lru_cache(maxsize: _SelfF, typed: bool = False, **options: Unpack[_Options]) -> _SelfCached[_SelfF]: ...
@overload
def lru_cache(maxsize: _ClsF, typed: bool = False, **options: Unpack[_Options]) -> _ClsCached[_ClsF]: ...
@overload
def lru_cache(maxsize: _F, typed: bool = False, **options: Unpack[_Options]) -> lru_cache_wrapper[_F]: ...
@overload
def cache(**options: Unpack[_CacheOptions]) -> _Decorator: ...
@overload
def cache(user_function: type[_T], /, **options: Unpack[_CacheOptions]) -> lru_cache_wrapper[Callable[..., _T]]: ...
@overload
def cache(user_function: _OfSelf[_S, _P, _R], /, **options: Unpack[_CacheOptions]) -> _MethodOf[_S, _P, _R]: ...
@overload
def cache(user_function: _OfCls[_S, _P, _R], /, **options: Unpack[_CacheOptions]) -> _ClassMethodOf[_S, _P, _R]: ...
@overload
def cache(user_function: _LooseF, /, **options: Unpack[_CacheOptions]) -> _Loose[_LooseF]: ...
@overload
def cache(user_function: _SelfF, /, **options: Unpack[_CacheOptions]) -> _SelfCached[_SelfF]: ...
@overload
def cache(user_function: _ClsF, /, **options: Unpack[_CacheOptions]) -> _ClsCached[_ClsF]: ...
@overload
def cache(user_function: _F, /, **options: Unpack[_CacheOptions]) -> lru_cache_wrapper[_F]: ...
@overload
def cached_method(
    maxsize: SupportsIndex | None = 128, typed: bool = False, **options: Unpack[_Options]
) -> _MethodDecorator: ...
@overload
def cached_method(
    maxsize: classmethod[_S, _P, _R], typed: bool = False, **options: Unpack[_Options]
) -> _Bound[type[_S], Callable[_P, _R]]: ...
@overload
def cached_method(
    maxsize: _OfSelf[_S, _P, _R], typed: bool = False, **options: Unpack[_Options]
) -> _CachedMethodOf[_S, _P, _R]: ...
@overload
def cached_method(
    maxsize: _OfCls[_S, _P, _R], typed: bool = False, **options: Unpack[_Options]
) -> _ClassMethodOf[_S, _P, _R]: ...
@overload
def cached_method(maxsize: _LooseF, typed: bool = False, **options: Unpack[_Options]) -> _LoosePerInstance[_LooseF]: ...
@overload
def cached_method(maxsize: _SelfF, typed: bool = False, **options: Unpack[_Options]) -> _SelfPerInstance[_SelfF]: ...
@overload
def cached_method(maxsize: _ClsF, typed: bool = False, **options: Unpack[_Options]) -> _ClsPerInstance[_ClsF]: ...
@overload
def cached_method(maxsize: _F, typed: bool = False, **options: Unpack[_Options]) -> cached_method_wrapper[_F]: ...

# The types of the same made of coroutine functions.
async_lru_cache_wrapper = lru_cache_wrapper
async_cached_method_wrapper = cached_method_wrapper

# A class method that a cached method is made from, so that its cache knows the class.
@final
class class_method(classmethod[Any, _P, _R_co]): ...
