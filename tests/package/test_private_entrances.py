"""Names that begin with an underscore trust their callers with nothing that could crash the interpreter."""

from __future__ import annotations

import pytest

import tamis
from helpers.subprocess_tools import run_child, run_function
from tamis import _core


@pytest.mark.parametrize(
    "given", [object, int, type("X", (), {}), tamis.CacheInfo, "SieveCache", None, _core.lru_cache, dict]
)
def test_methods_of_mappings_are_lent_to_subclasses_alone(given):
    with pytest.raises(TypeError, match="SieveCacheBase"):
        tamis.SieveCache._lend(given)
    assert not hasattr(given, "_restore")


def test_methods_of_mappings_are_lent_to_a_subclass_of_several_bases():
    class Other:
        pass

    class Sub(Other, _core.SieveCacheBase):
        pass

    _core.SieveCacheBase._lend(Sub)
    made = Sub(2)
    made["a"] = 1
    assert made.get("a") == 1
    assert "get" in vars(Sub)


def odd_arguments(seed):
    import gc
    import inspect
    import random
    import types
    import warnings

    import tamis
    from tamis import _core

    warnings.simplefilter("ignore")
    rng = random.Random(seed)

    async def async_function(x=None):
        return x

    class Instance:
        @tamis.cached_method
        def method(self, x=None):
            return x

    def objects():
        mapping = tamis.SieveCache(3, ttl=5)
        mapping["key"] = "value"
        function = tamis.cache(lambda *args, **kwargs: args)
        function.cache_put("value", 1)
        expiring = tamis.cache(ttl=5, single_flight=True)(lambda *args, **kwargs: args)
        coroutine = tamis.cache(async_function)
        pending = coroutine(1)
        coroutine.cache_put("value", 2)
        call = inspect.getcoroutinelocals(pending).get("call")
        instance = Instance()
        instance.method()
        found = [
            _core,
            mapping,
            tamis.SieveCache,
            _core.SieveCacheBase.__new__(_core.SieveCacheBase),
            function,
            expiring,
        ]
        found += [coroutine, coroutine(2), call, instance.method, vars(Instance)["method"], pending]
        return [one for one in found if one is not None]

    def argument(known):
        kinds = [
            lambda: rng.choice(
                [0, 1, -1, 2**31, -(2**63), 2**64, 2**200, 1.5, float("nan"), "", "a", b"", b"\xff" * 9]
            ),
            lambda: rng.choice(
                [None, True, (), (1,), (1, 2, 3, 4, 5), [], [(1, 2, True, None, 2**63)], {}, {"a": 1}, object()]
            ),
            lambda: rng.choice([int, type, object, Instance, tamis.SieveCache, len, print]),
            lambda: rng.choice(known),
        ]
        return rng.choice(kinds)()

    never = {"_regions", "_region_entries", "_region_clear", "_region_remove", "patch", "unpatch", "_on_death"}
    never |= {
        "__class__",
        "__init_subclass__",
        "__subclasshook__",
        "__setattr__",
        "__delattr__",
        "throw",
        "__reduce_ex__",
    }
    never |= {"mro", "__subclasses__", "_lend", "__dir__", "__format__"}
    calls = 0
    for _ in range(40):
        known = objects()
        for one in known:
            for name in dir(one):
                try:
                    member = getattr(one, name)
                except Exception:
                    continue
                if name in never or not callable(member) or isinstance(member, types.CodeType):
                    continue
                for _ in range(3):
                    args = [argument(known) for _ in range(rng.randrange(4))]
                    try:
                        result = member(*args)
                        if inspect.iscoroutine(result):
                            result.close()
                    except (Exception, SystemExit):
                        pass
                    calls += 1
    gc.collect()
    assert calls > 5_000, calls
    print("no crash")


@pytest.mark.parametrize("seed", range(4))
def test_odd_arguments_to_any_method_raise_and_crash_nothing(seed):
    assert run_function(odd_arguments, seed, seconds=120.0).endswith("no crash\n")


def test_damaged_snapshots_of_a_mapping_are_refused_or_harmless():
    code = """
    import itertools
    import tamis

    odd = [0, 1, -1, 2**63 - 1, 2**63, 2**64, 2**200, None, 1.5, "a", (), float("nan")]
    for entries, hand in itertools.product([(), [], [()], [(1, 2, 3, 4)], [(1, 2, True, None, 1)] * 9, None, 5], odd):
        for maxsize in (1, 3, None):
            cache = tamis.SieveCache(maxsize)
            cache["a"] = 1
            try:
                cache._restore(entries, hand)
            except (TypeError, ValueError, OverflowError):
                pass
            cache["b"] = 2
            for number in range(5):
                cache[number] = number
            assert len(cache) <= (maxsize or 99)
            cache.clear()
    for left, weight in itertools.product(odd, odd):
        cache = tamis.SieveCache(4, weigher=lambda value: 1, maxweight=3)
        try:
            cache._restore([(1, 2, True, left, weight)], 0)
        except (TypeError, ValueError, OverflowError):
            pass
        for number in range(9):
            cache[number] = number
        assert len(cache) <= 4
        cache.clear()
        assert cache.stats()["weight"] == 0
    print("done")
    """
    assert run_child(code) == "done\n"
