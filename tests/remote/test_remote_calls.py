"""What a function with a server behind it returns, stores and counts."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import time
import warnings

import pytest

import tamis
from helpers.server_tools import eventually, settle


def counted(tier, **options):
    calls = []

    @tamis.lru_cache(**{"maxsize": 100, "ttl": 60, "backend": tier, "name": "counted", **options})
    def f(*args, **kwargs):
        calls.append((args, kwargs))
        return [*args, kwargs]

    return f, calls


def commands(server):
    info = server.client().info("commandstats")
    return sum(info.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "eval"))


def test_miss_stores_and_others_find(make_tier, shared_server):
    (f, calls), (g, others) = counted(make_tier(shared_server)), counted(make_tier(shared_server))
    assert f(1, a=2) == g(1, a=2) == [1, {"a": 2}]
    assert calls == [((1,), {"a": 2})]
    assert others == []
    assert f.cache_info()[:2] == (0, 1)
    assert g.cache_info()[:2] == (1, 0)
    assert g.cache_stats()["tier_hits"] == 1


def test_near_hit_asks_nobody_and_a_hit_in_the_tier_asks_once(tier, shared_server):
    f, _ = counted(tier)
    f(1)
    settle(f, 1)
    before, near = commands(shared_server), f.cache_stats()["near_hits"]
    for _ in range(50):
        f(1)
    assert commands(shared_server) == before
    assert f.cache_stats()["near_hits"] == near + 50
    without_near, _ = counted(tier, maxsize=0)
    without_near(1)
    before = commands(shared_server)
    for _ in range(50):
        without_near(1)
    assert commands(shared_server) == before + 50


@pytest.mark.parametrize("single_flight", [False, True])
def test_miss_with_its_store_takes_two_requests(tier, shared_server, single_flight):
    f, _ = counted(tier, single_flight=single_flight)
    f(0)
    before = commands(shared_server)
    for number in range(1, 21):
        f(number)
    assert commands(shared_server) == before + 40


VALUES = [
    *(None, True, 0, -1, 1 << 100, 1.5, "text", "\ud800", b"bytes", bytearray(b"b"), 1j),
    *((), (1, (2,)), [1, [2]], {"a": {1: None}}, {1, 2}, frozenset({"x"})),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_of_built_in_types(make_tier, shared_server, value):
    calls = []

    def function():
        calls.append(None)
        return value

    for _ in range(2):
        f = tamis.cache(function, backend=make_tier(shared_server), name="values")
        got = f()
        assert (got, type(got)) == (value, type(value))
    assert len(calls) == 1


class Point:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return isinstance(other, Point) and self.x == other.x

    __hash__ = None


def test_other_values_are_returned_and_warned_of_once(tier):
    f = tamis.cache(lambda x: Point(x), backend=tier, name="points")
    with pytest.warns(RuntimeWarning, match="could not serialize"):
        assert f(1) == Point(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert f(1) == Point(1)
    stats = f.cache_stats()
    assert (stats["unserializable"], stats["misses"], stats["currsize"]) == (2, 2, 0)


def test_pickle_with_a_secret(make_tier, shared_server):
    options = {"serializer": pickle, "secret": b"secret"}
    calls = []

    def function(x):
        calls.append(x)
        return Point(x)

    for _ in range(2):
        f = tamis.cache(function, backend=make_tier(shared_server, **options), name="pickled")
        assert f(1) == Point(1)
    assert calls == [1]
    other = tamis.cache(function, backend=make_tier(shared_server, **{**options, "secret": b"other"}), name="pickled")
    assert other(1) == Point(1)
    assert calls == [1, 1]


def test_too_large_is_returned_and_not_stored(make_tier, shared_server):
    tier = make_tier(shared_server, max_value_bytes=100)
    f, calls = counted(tier)
    assert f("x" * 200) == f("x" * 200)
    assert len(calls) == 2
    assert f.cache_stats()["oversize"] == 2


def test_changes(make_tier, shared_server):
    (f, calls), (g, _) = counted(make_tier(shared_server)), counted(make_tier(shared_server))
    assert not f.cache_contains(1)
    f(1)
    assert f.cache_contains(1)
    assert g.cache_contains(1)
    assert g.cache_invalidate(1)
    assert not g.cache_invalidate(1)
    eventually(lambda: not f.cache_contains(1))
    g.cache_put(["put"], 1)
    assert f(1) == ["put"]
    assert f.cache_refresh(1) == [1, {}]
    eventually(lambda: g(1) == [1, {}])
    f(2)
    g.cache_clear()
    eventually(lambda: not f.cache_contains(1) and not f.cache_contains(2))
    assert len(calls) == 3
    assert g.cache_info()[:2] == (0, 0)


def test_keys_are_those_of_functools(tier):
    f, calls = counted(tier)
    for args in [(1,), (1.0,), (True,), ("1",), (1, 1), ((1, 1),), (b"1",), (frozenset({1, 2}),), (None,), ()]:
        f(*args)
    f(a=1)
    f(a=1, b=2)
    f(b=2, a=1)
    assert len(calls) == 12
    f(frozenset({2, 1}))
    assert len(calls) == 12
    with pytest.raises(TypeError, match="unhashable"):
        f([])
    named, own = counted(tier, name="keys", key=lambda *a: a[0])
    named(1, 2)
    named(1, 3)
    assert len(own) == 1


def test_names_tell_functions_apart(make_tier, shared_server):
    def make(rate, tier):
        @tamis.cache(backend=tier)
        def convert(x):
            return x * rate

        return convert

    first, second = make_tier(shared_server), make_tier(shared_server)
    assert make(2, first)(10) == 20
    assert make(3, second)(10) == 30
    assert make(2, second)(10) == 20


def test_expiry_is_the_servers(make_tier, shared_server):
    (f, calls), (g, _) = counted(make_tier(shared_server), ttl=2), counted(make_tier(shared_server), ttl=2)
    f(1)
    g(1)
    assert len(calls) == 1
    eventually(lambda: (f(1), len(calls))[1] > 1)


def test_remaining_time_is_carried_into_the_near_cache(make_tier, shared_server):
    (f, _), (g, others) = counted(make_tier(shared_server), ttl=3), counted(make_tier(shared_server), ttl=3)
    f(1)
    time.sleep(2)
    g(1)
    time.sleep(1.2)
    assert others == []
    g(1)
    assert len(others) == 1


def test_ttl_of_each_value(tier, shared_server, namespace):
    f = tamis.cache(lambda x: x, backend=tier, name="ttls", ttl=lambda value: value)
    f(50)
    f(5000)
    client = shared_server.client()
    left = sorted(client.pttl(name) for name in client.scan_iter(f"tamis:1:{{{namespace}:ttls:*}}:*"))
    assert 0 < left[0] <= 50_000
    assert 50_000 < left[1] <= 5_000_000


def test_failing_ttl_is_reported_and_nothing_is_stored(tier, monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    f = tamis.cache(lambda x: x, backend=tier, name="failing", ttl=lambda value: 1 / 0)
    assert f(1) == 1
    assert isinstance(reported[0].exc_value, ZeroDivisionError)
    assert not f.cache_contains(1)
    with pytest.raises(ZeroDivisionError):
        f.cache_put(1, 1)


@pytest.mark.parametrize(
    "error", [ValueError, KeyError, StopIteration, StopAsyncIteration, GeneratorExit, KeyboardInterrupt, SystemExit]
)
@pytest.mark.parametrize("single_flight", [False, True])
def test_exceptions_leave_as_they_are_and_are_not_stored(tier, error, single_flight):
    raised = error("x")

    @tamis.cache(backend=tier, name="raising", single_flight=single_flight)
    def f(x):
        raise raised

    for _ in range(2):
        with pytest.raises(error) as caught:
            f(1)
        assert caught.value is raised
        assert raised.__context__ is None
        raised.__traceback__ = None
    assert f.cache_info()[:2] == (0, 2)
    assert tier.stats()["leases"] == 0


def test_coroutine_object_is_refused(tier):
    async def inner():
        pass

    made = []

    @tamis.cache(backend=tier, name="coroutine-object")
    def f():
        made.append(inner())
        return made[-1]

    with pytest.raises(TypeError, match="coroutine"):
        f()
    for coroutine in made:
        coroutine.close()


def test_recursive_function(tier):
    @tamis.cache(backend=tier, name="fib")
    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    assert fib(40) == 102334155
    assert fib.cache_info().misses == 41


def test_options_of_the_near_cache(tier):
    left = []
    f, calls = counted(tier, maxsize=2, on_evict=lambda *what: left.append(what))
    for x in (1, 2, 3):
        settle(f, x)
    assert f.cache_info().currsize == 2
    assert any(cause == "size" for _, _, cause in left)
    assert len(calls) == 3
    weighed, _ = counted(tier, name="weighed", weigher=len, maxweight=1)
    weighed(1)
    weighed(1)
    assert weighed.cache_info().currsize == 0
    copied, _ = counted(tier, name="copied", copy=True)
    first = copied(1)
    first.append("mine")
    assert copied(1) == [1, {}]


def test_importing_and_decorating_import_and_connect_to_nothing():
    code = """
import sys, tamis
assert "redis" not in sys.modules and "asyncio" not in sys.modules, "tamis"
from tamis.remote import Redis
tier = Redis("redis://127.0.0.1:1/0", namespace="x")
f = tamis.cache(len, backend=tier, name="len")
assert "redis" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_closed_tier_computes_and_says_so_of_changes(tier):
    f, calls = counted(tier)
    f(1)
    tier.close()
    assert f(1) == f(1) == [1, {}]
    assert len(calls) == 2
    for change in (lambda: f.cache_put(1, 1), lambda: f.cache_invalidate(1), f.cache_clear, lambda: f.cache_refresh(1)):
        with pytest.raises(tamis.remote.Unreachable):
            change()
    assert f(2) == [2, {}]


def test_coroutine_function(make_tier, shared_server):
    calls = []

    async def function(x):
        calls.append(x)
        await asyncio.sleep(0.01)
        return [x]

    f, g = (tamis.lru_cache(backend=make_tier(shared_server), name="async")(function) for _ in range(2))

    async def main():
        assert await asyncio.gather(*(f(x % 3) for x in range(30))) == [[x % 3] for x in range(30)]
        assert sorted(calls) == [0, 1, 2]
        assert await g(1) == [1]
        assert sorted(calls) == [0, 1, 2]
        assert g.cache_stats()["tier_hits"] == 1
        await asyncio.to_thread(g.cache_invalidate, 1)
        assert await g(1) == [1]
        assert sorted(calls) == [0, 1, 1, 2]
        assert await g.cache_refresh(1) == [1]
        assert sorted(calls) == [0, 1, 1, 1, 2]

    asyncio.run(main())


def test_trio_asks_by_threads(tier):
    trio = pytest.importorskip("trio")
    calls = []

    @tamis.cache(backend=tier, name="trio")
    async def f(x):
        calls.append(x)
        await trio.sleep(0)
        return [x]

    async def main():
        assert await f(1) == await f(1) == [1]

    trio.run(main)
    assert calls == [1]
