"""What type checkers must accept of caches and overloads, and the types that they must find."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, overload

from tamis import cache, cached_method, lru_cache

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:
    from helpers.typing_tools import assert_type


# A callable with overloads.
@overload
def parse(value: int) -> int: ...
@overload
def parse(value: str, base: int = 10) -> float: ...
def parse(value: int | str, base: int = 10) -> int | float:
    return int(value)


parsed = cache(parse)
assert_type(parsed(1), int)
assert_type(parsed("1"), float)
assert_type(parsed("1", base=8), float)
assert_type(cache(parse, maxsize=3)("1"), float)
assert_type(lru_cache(parse)(1), int)
assert_type(lru_cache(maxsize=None)(parse)("1"), float)
assert_type(parsed.__wrapped__("1"), float)
assert_type(parsed.cache_refresh("1"), float)
assert_type(parsed.cache_contains(1), bool)
parsed.cache_clear()
of_int: Callable[[int], int] = parsed
of_str: Callable[[str], float] = parsed
one: int | float = parsed(1 if of_int(1) else 2)


# The implementation is cached, and its overloads show how it is called.
@overload
def load(name: str) -> str: ...
@overload
def load(name: bytes, *, deep: bool = ...) -> bytes: ...
@cache
def load(name: str | bytes, *, deep: bool = False) -> str | bytes:
    return name


assert_type(load("a"), str)
assert_type(load(b"a", deep=True), bytes)


# All of them are.
@overload
@cache
def store(name: int) -> int: ...
@overload
@cache
def store(name: str) -> str: ...
@cache
def store(name: int | str) -> int | str:
    return name


any_stored: int | str = store(1)
any_stored = store("a")


class Table:
    @overload
    def row(self, at: int) -> str: ...
    @overload
    def row(self, at: str, default: str) -> str | None: ...
    @cache
    def row(self, at: int | str, default: str = "") -> str | None:
        return default

    @overload
    def own(self, at: int) -> str: ...
    @overload
    def own(self, at: str) -> bytes: ...
    @cached_method
    def own(self, at: int | str) -> str | bytes:
        return "" if isinstance(at, int) else b""

    @overload
    @classmethod
    def of_class(cls, at: int) -> str: ...
    @overload
    @classmethod
    def of_class(cls, at: str) -> bytes: ...
    @classmethod
    @cache
    def of_class(cls, at: int | str) -> str | bytes:
        return "" if isinstance(at, int) else b""

    @overload
    @staticmethod
    def alike(at: int) -> str: ...
    @overload
    @staticmethod
    def alike(at: str) -> bytes: ...
    @staticmethod
    @cache
    def alike(at: int | str) -> str | bytes:
        return "" if isinstance(at, int) else b""


table = Table()
assert_type(table.row(1), str)
assert_type(table.row("a", "b"), str | None)
assert_type(Table.row(table, 1), str)
assert_type(table.own(1), str)
assert_type(table.own("a"), bytes)
assert_type(Table.of_class(1), str)
assert_type(Table.of_class("a"), bytes)
assert_type(Table.alike(1), str)
assert_type(table.alike("a"), bytes)


# Of others: most of what is built in has overloads.
assert_type(cache(re.compile)("a"), re.Pattern[str])
assert_type(cache(re.compile)(b"a", flags=re.I), re.Pattern[bytes])
number = cache(int)
assert_type(number("1"), int)
assert_type(number("f", base=16), int)
assert_type(number(1.5), int)
assert_type(cache(max)(1, 2), int)
assert_type(cache(max)((1, 2), default=3), int)
assert_type(cache(sum)((1, 2)), int)
assert_type(cache(range)(1), range)
assert_type(cache(range)(1, 2, 3), range)
assert_type(cache(Decimal)("1"), Decimal)
assert_type(lru_cache(maxsize=8)(date)(2020, 1, 2), date)
assert_type(cache(len)("a"), int)
assert_type(cache(str.join)(",", ("a",)), str)
text: str = cache(",".join)(("a", "b"))
assert_type(cache({1: "a"}.get)(1), str | None)
assert_type(cache({1: "a"}.get)(1, "b"), str)
cache(operator.add)(1, 2)
cache(print)("a", end="")
cache(sorted)((2, 1))
cache(getattr)(1, "real")


class Pair(Sequence[int]):
    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[int]: ...
    def __getitem__(self, at: int | slice) -> int | Sequence[int]:
        return [1, 2][at]

    def __len__(self) -> int:
        return 2


item = lru_cache(maxsize=3)(Pair().__getitem__)
assert_type(item(1), int)
assert_type(list(map(item, [0, 1])), list[int])
