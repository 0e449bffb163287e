# mypy: disable-error-code="misc"

# What the stub of the compiled part says of functions: type variables, and functions by the name of their first
# parameter.
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Concatenate, Generic, Literal, ParamSpec, Protocol, TypeAlias, TypeVar

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
