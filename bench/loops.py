"""The calling loops: `for` statements around one kind of call, each with the same loop around nothing.

All take (f, xs, repeats) and go `repeats` times over the prepared list `xs`. The list stays short and is gone over
again, so that what is measured is the call and not the reading of a long list.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from types import FunctionType
from typing import Any, NamedTuple

LoopFunction = Callable[[Any, list[Any], int], None]


class Loop(NamedTuple):
    """A kind of calling loop, and the same loop without the call."""

    call: LoopFunction
    empty: LoopFunction


def fresh(loop: LoopFunction) -> LoopFunction:
    """A copy of a loop with bytecode of its own.

    The interpreter specializes bytecode in place for what it meets. Subjects that shared one loop would run in code
    specialized for another subject, or for none.
    """
    assert isinstance(loop, FunctionType)
    return FunctionType(loop.__code__.replace(), loop.__globals__, loop.__name__)


def _no_argument(f: Any, xs: list[Any], repeats: int) -> None:
    for _ in repeat(None, repeats):
        for _x in xs:
            f()


def _positional(f: Any, xs: list[Any], repeats: int) -> None:
    for _ in repeat(None, repeats):
        for x in xs:
            f(x)


def _two_positional(f: Any, xs: list[Any], repeats: int) -> None:
    for _ in repeat(None, repeats):
        for a, b in xs:
            f(a, b)


def _three_positional(f: Any, xs: list[Any], repeats: int) -> None:
    for _ in repeat(None, repeats):
        for a, b, c in xs:
            f(a, b, c)


def _keyword(f: Any, xs: list[Any], repeats: int) -> None:
    for _ in repeat(None, repeats):
        for x in xs:
            f(a=x)


def _positional_and_keyword(f: Any, xs: list[Any], repeats: int) -> None:
    for _ in repeat(None, repeats):
        for a, b in xs:
            f(a, k=b)


def _method(f: Any, xs: list[Any], repeats: int) -> None:
    """Here f is an object whose method `m` is cached."""
    for _ in repeat(None, repeats):
        for x in xs:
            f.m(x)


def _decorate_with_options(f: Any, xs: list[Any], repeats: int) -> None:
    """Here f is a decorator factory and xs holds functions."""
    for _ in repeat(None, repeats):
        for x in xs:
            f(maxsize=10)(x)


def _empty_one(f: Any, xs: list[Any], repeats: int) -> None:
    for _ in repeat(None, repeats):
        for _x in xs:
            pass


def _empty_two(f: Any, xs: list[Any], repeats: int) -> None:
    for _ in repeat(None, repeats):
        for _a, _b in xs:
            pass


def _empty_three(f: Any, xs: list[Any], repeats: int) -> None:
    for _ in repeat(None, repeats):
        for _a, _b, _c in xs:
            pass


NO_ARGUMENT = Loop(_no_argument, _empty_one)
POSITIONAL = Loop(_positional, _empty_one)
TWO_POSITIONAL = Loop(_two_positional, _empty_two)
THREE_POSITIONAL = Loop(_three_positional, _empty_three)
KEYWORD = Loop(_keyword, _empty_one)
POSITIONAL_AND_KEYWORD = Loop(_positional_and_keyword, _empty_two)
METHOD = Loop(_method, _empty_one)
DECORATE = Loop(_positional, _empty_one)
DECORATE_WITH_OPTIONS = Loop(_decorate_with_options, _empty_one)
