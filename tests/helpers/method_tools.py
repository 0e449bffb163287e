"""A class with cached methods."""

from __future__ import annotations

from tamis import cached_method, lru_cache


class Shop:
    """Known to pickle by name."""

    def __init__(self, name="shop"):
        self.name = name
        self.calls = []

    @lru_cache(maxsize=100)
    def price(self, x, *, factor=1):
        """Look a price up."""
        self.calls.append(x)
        return x * factor

    @cached_method(maxsize=10)
    def stock(self, x, *, factor=1):
        """Look the stock up."""
        self.calls.append(x)
        return x * factor

    def plain(self, x, *, factor=1):
        """Look nothing up."""
        return x * factor


class CallableWithoutName:
    """Instances have no __name__."""

    def __init__(self) -> None:
        self.attribute = 1

    def __call__(self, x: int) -> int:
        return x
