"""Never run: each line that ends in ``# error`` must be an error to type checkers, and no other line may be one."""

from __future__ import annotations

from tamis import cache, lru_cache


@lru_cache
def bare(a: int, b: str = "", *, c: bytes = b"") -> list[int]:
    return [a]


@lru_cache(maxsize=10)
def called(a: int, *rest: str) -> str:
    return ""


@cache
def cached(a: int) -> bytes:
    return b""


class Account:
    @lru_cache(maxsize=8)
    def balance(self, at: int) -> float:
        return 0.0

    @staticmethod
    @cache
    def rate(year: int) -> float:
        return 0.0


account = Account()

# Bad decorations.
lru_cache(maxsize="x")  # error
lru_cache(maxsize=1.5)  # error
lru_cache(size=3)  # error
lru_cache(1, False, 3)  # error
lru_cache(3)("no function")  # error
cache(3)  # error
cache(maxsize="x")  # error
cache(cached.__wrapped__, 3)  # error

# Bad calls.
bare()  # error
bare("1")  # error
bare(1, 2)  # error
bare(1, "b", b"c")  # error
bare(1, d=4)  # error
called(1, 2)  # error
called("1")  # error
cached()  # error
cached(b=1)  # error
account.balance()  # error
account.balance("1")  # error
Account.balance(1)  # error
Account.rate("2020")  # error

# Results of another type.
number: int = bare(1)  # error
text: str = cached(1)  # error
whole: int = account.balance(1)  # error

# Of the cache.
bare.cache_contains("1")  # error
bare.cache_invalidate()  # error
bare.cache_refresh(1, 2)  # error
bare.cache_put("no list", 1)  # error
bare.cache_put([1])  # error
bare.cache_clear(1)  # error
print(bare.cache_info().size)  # error
print(bare.cache_parameters()["size"])  # error
bare.no_such_method()  # error


@cache
async def fetched(url: str) -> bytes:
    return b""


fetched.cache_put("no bytes", "x")  # error
fetched(1)  # error
