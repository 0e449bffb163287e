"""Long chains of caches and of awaitables are freed without a deep stack; what is cleared in part is safe."""

from __future__ import annotations

import inspect
import textwrap

import pytest

from helpers.subprocess_tools import run_child, run_function

# How one link holds the one before.
LINKS = [
    *(
        "value",
        "key",
        "value_with_ttl",
        "function",
        "function_with_ttl",
        "mapping",
        "mapping_with_ttl",
        "attribute",
        "method",
    ),
    *("on_evict", "key_option", "ttl_option", "weigher", "copy", "clock", "mapping_on_evict", "serializer", "partial"),
]


def long_chain(kind):
    import functools
    import gc
    import tempfile
    import threading

    import tamis

    folder = tempfile.mkdtemp()

    class Serializer:
        def __init__(self, before):
            self.dumps = self.loads = before or len

    def link(before, number):
        cache = functools.partial(tamis.lru_cache, 4)
        if kind == "value":
            made = cache()(abs)
            made.cache_put(before, 1)
        elif kind == "key":
            made = cache()(abs)
            made.cache_put(1, before, 2)
        elif kind == "value_with_ttl":
            made = cache(ttl=100)(abs)
            made.cache_put(before, 1)
        elif kind == "function":
            made = cache()(before or len)
        elif kind == "function_with_ttl":
            made = cache(ttl=100)(before or len)
        elif kind == "mapping":
            made = tamis.SieveCache(None)
            made[1] = before
        elif kind == "mapping_with_ttl":
            made = tamis.SieveCache(None, ttl=100)
            made[1] = before
        elif kind == "attribute":
            made = cache()(abs)
            made.before = before
        elif kind == "method":
            made = tamis.cached_method(4)(before or len)
        elif kind == "on_evict":
            made = cache(on_evict=before or print)(abs)
        elif kind == "key_option":
            made = cache(key=before or len)(abs)
        elif kind == "ttl_option":
            made = cache(ttl=before or len)(abs)
        elif kind == "weigher":
            made = cache(weigher=before or len, maxweight=10)(abs)
        elif kind == "copy":
            made = cache(copy=before or len)(abs)
        elif kind == "clock":
            made = cache(ttl=1, clock=before or len)(abs)
        elif kind == "mapping_on_evict":
            made = tamis.SieveCache(4, on_evict=before.get if before is not None else print)
        elif kind == "serializer":
            options = {"backend": "shared", "path": folder, "name": "one", "max_bytes": 65536}
            made = cache(serializer=Serializer(before), **options)(abs)
        elif kind == "partial":
            made = cache(on_evict=functools.partial(before or print))(abs)
        return made

    def run(release):
        gc.disable()
        chain = None
        for number in range(2_000 if kind == "serializer" else 30_000):
            chain = link(chain, number)
        if release == "cycle":
            cycle = [chain]
            cycle.append(cycle)
            del cycle
        del chain
        gc.collect()
        gc.enable()
        print("released", release, flush=True)

    run("by the last reference")
    run("in a cycle")
    thread = threading.Thread(target=run, args=("in a cycle",))
    thread.start()
    thread.join()


@pytest.mark.parametrize("kind", LINKS)
def test_chain_of_caches_is_dropped_without_a_stack_overflow(kind):
    cycle = "released in a cycle\n"
    assert run_function(long_chain, kind) == "released by the last reference\n" + cycle + cycle


AWAITABLES = """
import asyncio
from tamis import lru_cache

@lru_cache(maxsize=1, ignore=("before",), {options})
async def f(number, before):
    return before

async def chain():
    before = None
    for number in range(200_000):
        await f(number, before)
        before = {hit}
    return before

made = asyncio.run(chain())
f.cache_clear()
del made
print("released")
"""


@pytest.mark.parametrize("hit", ["f(number, None)", "(f(number, None),)", "[f(number, None)]"])
@pytest.mark.parametrize("options", ["", "ttl=100", "copy=lambda value: value"])
def test_chain_of_awaitables_of_hits_is_dropped_without_a_stack_overflow(hit, options):
    assert run_child(AWAITABLES.format(hit=hit, options=options)) == "released\n"


def used_while_it_is_taken_apart(options, coroutine):
    import ctypes
    import gc
    import warnings

    import tamis

    warnings.simplefilter("ignore")
    address = 0
    seen = []

    class Last:
        """Not known to the collector: it is freed where the cache drops it, and finds the cache by its address."""

        __slots__ = ()

        def __del__(self):
            if address:
                cache = ctypes.cast(address, ctypes.py_object).value
                try:
                    seen.append(use(cache))
                except Exception as error:
                    seen.append(error)

    operations = [
        lambda cache: cache(1),
        lambda cache: cache.cache_put("value", 1),
        lambda cache: cache.cache_refresh(1),
        lambda cache: cache.cache_invalidate(1),
        lambda cache: cache.cache_contains(1),
        lambda cache: (cache.cache_stats(), cache.cache_parameters(), cache.cache_info()),
        lambda cache: cache.cache_clear(),
    ]

    def function(*args):
        return args

    async def coroutine_function(*args):
        return args

    class OnEvict:
        def __init__(self):
            self.last = Last()

        def __call__(self, *args):
            pass

    for operation in operations * 10:
        use = operation
        if "on_evict" in options:
            options["on_evict"] = OnEvict()
        cache = tamis.lru_cache(4, **options)(coroutine_function if coroutine else function)
        cache.me = cache
        for number in range(3):
            cache.cache_put(Last(), number)
        address = id(cache)
        del cache
        options.pop("on_evict", None)
        gc.collect()
        address = 0
    assert len(seen) >= 3 * len(operations) * 10, len(seen)
    print("no crash")


@pytest.mark.parametrize("coroutine", [False, True])
@pytest.mark.parametrize(
    "options",
    ["", "'ttl': 60", "'single_flight': True", "'weigher': lambda value: 1, 'maxweight': 100", "'on_evict': 0"],
)
def test_cache_that_is_used_while_the_collector_takes_it_apart(options, coroutine):
    source = textwrap.dedent(inspect.getsource(used_while_it_is_taken_apart))
    call = f"\nused_while_it_is_taken_apart({{{options}}}, {coroutine})\n"
    assert run_child(source + call) == "no crash\n"
