"""Arguments whose hash or equality is special, a function that returns its arguments, and parameters of caches."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from tamis import lru_cache

EVERY_MAXSIZE = pytest.mark.parametrize("maxsize", [None, 128])
EVERY_TYPED = pytest.mark.parametrize("typed", [False, True])
BIG_PRIME = (1 << 61) - 1  # CPython's modulus: numbers apart by it have one hash


def echo(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """Return what came in."""
    return args, kwargs


class Hashed:
    """A key that counts how often it is hashed and compared, and may raise in either."""

    def __init__(self, hashed: int, error: BaseException | None = None, *, in_hash: bool = False) -> None:
        self.hash, self.error, self.in_hash = hashed, error, in_hash
        self.hash_calls = self.eq_calls = 0

    def __hash__(self) -> int:
        self.hash_calls += 1
        if self.error and self.in_hash:
            raise self.error
        return self.hash

    def __eq__(self, other: object) -> bool:
        self.eq_calls += 1
        for error in (self.error, getattr(other, "error", None)):
            if error:
                raise error
        return isinstance(other, Hashed) and self.hash == other.hash


class Text(str):
    """A str with the same hash and equality, asked for by method calls."""

    def __hash__(self) -> int:
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)


class Caseless(str):
    def __hash__(self) -> int:
        return hash(self.lower())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.lower() == other.lower()


class Modulo7(int):
    def __hash__(self) -> int:
        return int(self) % 7

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int) and int(self) % 7 == int(other) % 7


def meet(one: Any, other: Any, *, typed: bool = False, maxsize: int | None = None) -> bool:
    """Whether the two are one key among others, by position and by keyword, in either order; alone as in functools."""
    answers = set()
    for a, b in ((one, other), (other, one)):
        function = lru_cache(maxsize=maxsize, typed=typed)(echo)
        function.cache_put("stored", a)
        theirs = functools.lru_cache(maxsize=maxsize, typed=typed)(echo)
        theirs(a), theirs(b)
        assert function.cache_contains(b) is (theirs.cache_info().hits == 1)
        function.cache_clear()
        for first, second in (
            ((("x", a), {}), (("x", b), {})),
            (((), {"k": a}), ((), {"k": b})),
        ):
            function.cache_put("stored", *first[0], **first[1])
            answers.add(function.cache_contains(*second[0], **second[1]))
            function.cache_clear()
    assert len(answers) == 1
    return answers.pop()
