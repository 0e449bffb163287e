# mypy: disable-error-code="assignment, misc, override, overload-overlap, overload-cannot-match"
# pyright: reportOverlappingOverload=false, reportIncompatibleMethodOverride=false
# pyright: reportIncompatibleVariableOverride=false

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from functools import _lru_cache_wrapper
from typing import (
    Any,
    Concatenate,
    Generic,
    Literal,
    ParamSpec,
    Protocol,
    SupportsIndex,
    TypeAlias,
    TypedDict,
    TypeVar,
    final,
    overload,
)

from typing_extensions import Never, Self, Unpack

from tamis._info import CacheInfo, _CacheOptions, _Options, _Parameters, _Stats

_P = ParamSpec("_P")
_R = TypeVar("_R")
_R_co = TypeVar("_R_co", covariant=True)
_S = TypeVar("_S")
_S_co = TypeVar("_S_co", covariant=True)
_S_contra = TypeVar("_S_contra", contravariant=True)
_T = TypeVar("_T")
# Whole functions, so that overloads and type variables stay what they are.
_F = TypeVar("_F", bound=Callable[..., Any])
_F_co = TypeVar("_F_co", bound=Callable[..., Any], covariant=True)
_G_co = TypeVar("_G_co", bound=Callable[..., Any], covariant=True)
_W_co = TypeVar("_W_co", covariant=True)

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

# Functions by the name of their first parameter, as methods and class methods have them.
class _TakesSelf(Protocol[_S_contra, _P, _R_co]):
    def __call__(_self, self: _S_contra, *args: _P.args, **kwargs: _P.kwargs) -> _R_co: ...

class _TakesCls(Protocol[_S_contra, _P, _R_co]):
    def __call__(_self, cls: _S_contra, *args: _P.args, **kwargs: _P.kwargs) -> _R_co: ...

# A name that no function has, unless it takes any: mypy does not compare the names of functions without annotations.
class _TakesAnyName(Protocol):
    def __call__(_self, any_name: Any, *args: Any, **kwargs: Any) -> Any: ...

_LooseF = TypeVar("_LooseF", bound=_TakesAnyName)
_SelfF = TypeVar("_SelfF", bound=_TakesSelf[Any, ..., Any])
_ClsF = TypeVar("_ClsF", bound=_TakesCls[Any, ..., Any])

class _Anything: ...

# Functions that take anything: what checkers find for the type variables of these is of no use.
_GenericMethod: TypeAlias = (
    Callable[Concatenate[_S, _Anything, ...], _R]
    | Callable[Concatenate[_S, tuple[_Anything, ...], ...], _R]
    | Callable[Concatenate[_S, type[_Anything], ...], _R]
    | Callable[Concatenate[_S, Callable[..., _Anything], ...], _R]
)
_Generic: TypeAlias = (
    Callable[Concatenate[_Anything, ...], _R]
    | Callable[Concatenate[tuple[_Anything, ...], ...], _R]
    | Callable[Concatenate[type[_Anything], ...], _R]
    | Callable[Concatenate[Callable[..., _Anything], ...], _R]
)
_Of: TypeAlias = _T | Iterable[_T] | Mapping[Any, _T] | Awaitable[_T] | type[_T] | Callable[..., _T]

# A function as an attribute that no checker takes for a method of the cache itself.
class _Call(Generic[_F_co]):
    __call__: _F_co
    def __get__(self, instance: object, owner: object = None, /) -> _F_co: ...

class _Named:
    __name__: str
    __qualname__: str

# Of a call with the parameters and the result of this function.
class _Cached(_Named, Generic[_F_co]):
    def cache_info(self) -> CacheInfo: ...
    def cache_clear(self) -> None: ...
    def cache_parameters(self) -> _Parameters: ...
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

MYPY: Literal[False]
if MYPY:
    # mypy finds Any where a function with Any in its type fits more than one of these. So none fits.
    class _OfSelf(_TakesSelf[_S_contra, _P, _R_co], Protocol[_S_contra, _P, _R_co]):
        def no_function(self) -> None: ...

    class _OfCls(_TakesCls[_S_contra, _P, _R_co], Protocol[_S_contra, _P, _R_co]):
        def no_function(self) -> None: ...

else:
    class _OfSelf(_TakesSelf[_S_contra, _P, _R_co], Protocol[_S_contra, _P, _R_co]): ...
    class _OfCls(_TakesCls[_S_contra, _P, _R_co], Protocol[_S_contra, _P, _R_co]): ...

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
