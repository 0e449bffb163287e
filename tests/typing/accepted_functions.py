"""What type checkers must accept of caches of functions, and the types that they must find."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import tamis
from tamis import CacheInfo, cache, lru_cache

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:
    from helpers.typing_tools import assert_type


@lru_cache
def bare(a: int, b: str = "", *, c: bytes = b"") -> list[int]:
    return [a]


@lru_cache(maxsize=10, typed=True)
def called(a: int, *rest: str, **more: float) -> str | None:
    return None


@lru_cache(32)
def by_position(a: int) -> float:
    return a


@lru_cache(32, True)
def typed_by_position(a: int) -> float:
    return a


@lru_cache()
def empty_call(a: int) -> float:
    return a


@lru_cache(maxsize=None)
def unbounded(a: int) -> float:
    return a


@lru_cache(typed=True)
def only_typed(a: int) -> float:
    return a


@cache
def bare_cache(a: int, b: str = "") -> list[str]:
    return [b]


@cache()
def called_cache(a: int) -> bytes:
    return b""


@cache(maxsize=3, typed=True)
def bounded_cache(a: int) -> bytes:
    return b""


@cache
def positional(a: int, b: str = "", /, c: float = 1.0) -> int:
    return a


@cache
def keywords(*, a: int, b: str = "") -> int:
    return a


@cache
def nothing() -> None:
    return None


@cache
def loose(a: Any, b: Any = None) -> int:
    return 1


@cache
def anything(a: object, *rest: object) -> int:
    return 1


@cache
def any_result(a: int) -> Any:
    return a


@cache
def hashable(a: Hashable) -> Hashable:
    return a


@lru_cache
def taking_self(self: int, a: int) -> int:
    return self + a


@cache
def taking_cls(cls: type[int], a: int) -> int:
    return cls(a)


assert_type(bare(1), list[int])
assert_type(bare(1, "b", c=b"c"), list[int])
assert_type(bare(a=1, b="b"), list[int])
assert_type(bare(*(1, "b")), list[int])
assert_type(called(1, "x", "y", z=1.0), str | None)
assert_type(by_position(1), float)
assert_type(by_position(a=1), float)
assert_type(typed_by_position(1), float)
assert_type(empty_call(1), float)
assert_type(unbounded(a=1), float)
assert_type(only_typed(1), float)
assert_type(bare_cache(1, b="b"), list[str])
assert_type(called_cache(1), bytes)
assert_type(bounded_cache(a=1), bytes)
assert_type(positional(1, "b", c=2.0), int)
assert_type(keywords(a=1, b="b"), int)
nothing()
assert_type(loose([1][0], b="b"), int)
assert_type(anything(1, "b"), int)
number: int = any_result(1)
assert_type(hashable("a"), Hashable)
assert_type(taking_self(1, 2), int)
assert_type(taking_self(self=1, a=2), int)
assert_type(taking_cls(int, 2), int)
assert_type(taking_cls(cls=int, a=2), int)
assert_type(lru_cache(len)("a"), int)
assert_type(lru_cache(bare.__wrapped__, True)(1), list[int])
assert_type(lru_cache(bare.__wrapped__, typed=True)(1, b="b"), list[int])
assert_type(cache(bare.__wrapped__, maxsize=2)(1), list[int])
assert_type(tamis.lru_cache(maxsize=4)(str.upper)("x"), str)
assert_type(tamis.cache(tamis.lru_cache(maxsize=4)(bare.__wrapped__))(1), list[int])

# Of the cache.
info = bare.cache_info()
assert_type(info, CacheInfo)
assert_type(info.hits, int)
assert_type(info.misses, int)
assert_type(info.maxsize, int | None)
assert_type(info.currsize, int)
hits, misses, maxsize, currsize = info
assert_type(maxsize, int | None)
assert_type(hits + misses + currsize, int)
assert_type(info._asdict(), dict[str, Any])
assert_type(bare.cache_parameters()["maxsize"], int | None)
assert_type(bare.cache_parameters()["typed"], bool)
assert_type(bare.cache_stats()["coalesced"], int)
assert_type(bare.cache_contains(1, "b", c=b"c"), bool)
assert_type(bare.cache_invalidate(1, b="b"), bool)
assert_type(bare.cache_refresh(1), list[int])
bare.cache_put([1], 1, "b", c=b"c")
called.cache_put(None, 1, "x", z=1.0)
nothing.cache_put(None)
keywords.cache_put(1, a=1)
any_result.cache_put("a", 1)
assert_type(loose.cache_contains("a", 1), bool)
assert_type(anything.cache_invalidate("a", 1), bool)
assert_type(nothing.cache_contains(), bool)
assert_type(taking_self.cache_contains(1, 2), bool)
taking_self.cache_put(3, 1, 2)
bare.cache_clear()
taking_self.cache_clear()
assert_type(bare.__name__, str)
assert_type(bare.__qualname__, str)
assert_type(bare.__module__, str)
assert_type(bare.__doc__, str | None)
assert_type(bare.__wrapped__(1, c=b""), list[int])
assert_type(taking_self.__wrapped__(1, 2), int)
assert_type(tamis.__version__, str)
assert_type(tamis.get_include(), str)


# A mapping.
def use_mapping() -> None:
    mapping: tamis.SieveCache[int, str] = tamis.SieveCache(10, ttl=60, weigher=len, maxweight=100)
    mapping[1] = "one"
    assert_type(mapping[1], str)
    assert_type(mapping.get(1), str | None)
    assert_type(mapping.get(1, default="two"), str)
    assert_type(mapping.get(1, 2), str | int)
    assert_type(mapping.setdefault(1, "two"), str)
    assert_type(mapping.get_or_compute(1, lambda: "three"), str)
    assert_type(mapping.copy(), tamis.SieveCache[int, str])
    assert_type(mapping.info(), CacheInfo)
    assert_type(mapping.maxsize, int | None)
    assert_type(mapping.stats()["evictions"], int)
    for key, value in mapping.items():
        assert_type(key, int)
        assert_type(value, str)
    mapping.update({2: "two"})
    mapping.update([(3, "three")])
    assert_type(mapping.pop(1), str)
    assert_type(mapping.popitem(), tuple[int, str])
    named = tamis.SieveCache[str, int](maxsize=None, on_evict=lambda key, value, cause: print(key + cause, value + 1))
    named.update(a=1)


use_mapping()
