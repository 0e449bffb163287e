"""What type checkers must accept of caches where a callable is asked for, and of other decorators beside them."""

from __future__ import annotations

import asyncio
import functools
from collections import defaultdict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, ParamSpec, Protocol, TypeVar

from tamis import cache, cached_method, lru_cache

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:
    from helpers.typing_tools import assert_type

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


@cache
def doubled(number: int, by: int = 2) -> int:
    return number * by


@lru_cache(maxsize=3)
def title(name: str, *, short: bool = False) -> str:
    return name.title()


class Account:
    @cache
    def balance(self, at: int) -> int:
        return at

    @cached_method
    def own(self, at: int) -> int:
        return at

    # The names that one function gets.
    total = balance
    times = doubled


account = Account()
assert_type(account.total(1), int)
assert_type(Account.total(account, at=1), int)


class Caller:
    def __call__(self, name: str) -> str:
        return name


# As an argument.
def apply(function: Callable[[int], float]) -> float:
    return function(1)


def name_of(function: Callable[..., object]) -> str:
    return function.__name__


def run(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    return function(*args, **kwargs)


for function in (doubled, account.balance, account.own, account.total):
    assert_type(apply(function), float)
    assert_type(function(1), int)
assert_type(run(doubled, 1, by=3), int)
assert_type(run(account.own, 1), int)
assert_type(name_of(doubled), str)
assert_type(run(title, "a", short=True), str)
assert_type(run(Account.balance, account, at=1), int)
assert_type(list(map(doubled, [1, 2])), list[int])
assert_type(list(map(doubled, [1, 2], [3, 4])), list[int])
assert_type(list(filter(doubled, [1, 2])), list[int])
assert_type(functools.reduce(doubled, [1, 2]), int)
assert_type(sorted(["b", "a"], key=title), list[str])
assert_type(max([1, 2], key=doubled), int)
assert_type(functools.partial(title, "a")(), str)
assert_type(functools.partial(title, short=True)("a"), str)
assert_type(functools.partial(account.balance, 1)(), int)
assert_type(cache(functools.partial(title, short=True))("a"), str)
factory: Callable[[], int] = cache(int)
converter: Callable[[str], Decimal] = cache(Decimal)
called: Callable[[str], str] = cache(Caller())
with ThreadPoolExecutor(1) as pool:
    assert_type(pool.submit(doubled, 1, by=3).result(), int)
    assert_type(list(pool.map(account.balance, [1])), list[int])


async def in_thread() -> None:
    assert_type(await asyncio.to_thread(title, "a", short=True), str)
    assert_type(await asyncio.get_running_loop().run_in_executor(None, doubled, 1), int)


asyncio.run(in_thread())


# As a value.
hashable: Hashable = doubled
anything: object = doubled
callables: dict[str, Callable[[int], int]] = {"a": doubled, "b": account.balance, "c": account.own}
several: list[Callable[[int], float]] = [doubled, account.balance]
keyed: defaultdict[str, int] = defaultdict(cache(int))
either = doubled if len(callables) > 5 else account.balance
assert_type(either(1), int)
assert_type({doubled: 1}[doubled], int)
if callable(anything):
    anything(1)


@dataclass
class Job:
    function: Callable[[int], int]
    clean: Callable[[], None] = doubled.cache_clear
    always: Callable[[int], int] = field(default=doubled)
    kind: ClassVar[Callable[[int], int]] = doubled

    @cached_method
    def result(self) -> int:
        return self.function(1)

    @property
    @cached_method
    def again(self) -> int:
        return self.function(1)

    def __hash__(self) -> int:
        return 1


@dataclass(frozen=True)
class Point:
    x: int

    @cache
    def far(self, by: int) -> int:
        return self.x + by


class Entry(NamedTuple):
    x: int
    function: Callable[[int], int] = doubled

    @cache
    def far(self, by: int) -> int:
        return self.x + by


job = Job(doubled)
job.clean()
assert_type(job.function(1), int)
assert_type(job.always(1), int)
assert_type(job.result(), int)
assert_type(job.again, int)
assert_type(Job(function=account.balance).result(), int)
assert_type(Point(1).far(2), int)
assert_type(Entry(1).far(2), int)
assert_type(Entry(1).function(2), int)
FIXED: Final = doubled
assert_type(FIXED(1), int)


# Below and above other decorators.
def plain(function: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs)

    return call


def unchanged(function: F) -> F:
    return function


def with_options(times: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    return plain


def cached_plainly(function: Callable[P, R]) -> Callable[P, R]:
    return functools.wraps(function)(lru_cache(maxsize=times_of(function))(function))


def times_of(function: object) -> int:
    return 3


class Register:
    def __init__(self) -> None:
        self.all: list[Callable[..., Any]] = []

    def __call__(self, function: F) -> F:
        self.all.append(function)
        return function


register = Register()


@register
@unchanged
@with_options(3)
@plain
@cache
@plain
@unchanged
def decorated(number: int, by: str = "") -> str:
    return by * number


@unchanged
@cache
@cache
def twice_cached(number: int) -> str:
    return str(number)


@cached_plainly
def simply(number: int, by: str = "") -> str:
    return by * number


assert_type(decorated(1, by="a"), str)
assert_type(twice_cached(1), str)
twice_cached.cache_clear()
twice_cached.__wrapped__.cache_clear()
assert_type(simply(1, by="a"), str)


class Decorated:
    @plain
    @cache
    def above(self, number: int) -> str:
        return str(number)

    @cache
    @plain
    def below(self, number: int) -> str:
        return str(number)

    @unchanged
    @cached_method
    def both(self, number: int) -> str:
        return str(number)

    @classmethod
    @unchanged
    @cache
    def of_class(cls, number: int) -> str:
        return str(number)


assert_type(Decorated().above(1), str)
assert_type(Decorated().below(1), str)
assert_type(Decorated().both(1), str)
assert_type(Decorated.of_class(1), str)
Decorated().below.cache_clear()
Decorated().both.cache_clear()


# As a callback.
class Callback(Protocol):
    def __call__(self, number: int, /, *, by: int = ...) -> int: ...


class Emptied(Protocol):
    def cache_clear(self) -> None: ...
    def cache_info(self) -> tuple[int, int, int | None, int]: ...


class EmptiedCallback(Callback, Emptied, Protocol): ...


def call_back(callback: Callback, emptied: list[Emptied], both: EmptiedCallback) -> int:
    for one in emptied:
        one.cache_clear()
        assert_type(one.cache_info()[0], int)
    return callback(1, by=2) + both(1)


assert_type(call_back(doubled, [doubled, title, account.balance, account.own, Account.balance], doubled), int)


# A decorator of one's own.
def memoized(maxsize: int | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        return lru_cache(maxsize=maxsize)(function)

    return decorate


@memoized(3)
def own_decorator(number: int) -> str:
    return str(number)


assert_type(own_decorator(1), str)
decorator: Callable[[Callable[[int], str]], Callable[[int], str]] = lru_cache(maxsize=3)
decorator = cache
decorator = lru_cache
assert_type(decorator(own_decorator)(1), str)


# Functions made on the way.
def local(prefix: str) -> str:
    @cache
    def inner(number: int) -> str:
        return prefix * number

    @lru_cache(maxsize=None)
    def recursive(number: int) -> int:
        return number if number < 2 else recursive(number - 1) + recursive(number=number - 2)

    assert_type(recursive(3), int)
    return inner(2)


assert_type(local("a"), str)
shorter = cache(lambda: doubled(1))
assert_type(shorter(), int)
