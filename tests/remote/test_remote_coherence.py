"""Changes anywhere are seen everywhere, and what was read before one is never kept after it."""

from __future__ import annotations

import contextlib
import random
import threading
import time

import pytest

import tamis
from helpers.server_tools import Child, eventually, is_near, settle


def cached(tier, source, **options):
    """A function that reads a dict, which stands for a database."""

    @tamis.lru_cache(**{"maxsize": 100, "ttl": 60, "backend": tier, "name": "f", **options})
    def f(x):
        return source[x]

    return f


def value_name(server, namespace):
    (name,) = server.client().scan_iter(f"tamis:1:{{{namespace}:*:*}}:*")
    return name


@pytest.mark.parametrize("way", ["put", "invalidate", "refresh", "clear"])
def test_change_in_one_process_is_seen_by_another(make_tier, shared_server, way):
    source = {1: "old"}
    f, g = (cached(make_tier(shared_server), source) for _ in range(2))
    assert f(1) == g(1) == "old"
    settle(g, 1)
    source[1] = "new"
    {
        "put": lambda: f.cache_put("new", 1),
        "invalidate": lambda: f.cache_invalidate(1),
        "refresh": lambda: f.cache_refresh(1),
        "clear": f.cache_clear,
    }[way]()
    assert f(1) == "new"
    eventually(lambda: g(1) == "new")
    assert all(g(1) == "new" for _ in range(100))


@pytest.mark.parametrize("way", ["del", "flushall", "flushdb", "expire", "unlink", "set"])
def test_change_by_others_is_seen(make_tier, server, namespace, way):
    source = {1: "old"}
    f = cached(make_tier(server), source)
    assert f(1) == "old"
    settle(f, 1)
    source[1] = "new"
    client, name = server.client(), value_name(server, namespace)
    {
        "del": lambda: client.delete(name),
        "flushall": client.flushall,
        "flushdb": client.flushdb,
        "expire": lambda: client.pexpire(name, 20),
        "unlink": lambda: client.unlink(name),
        "set": lambda: client.set(name, b"rubbish"),
    }[way]()
    eventually(lambda: f(1) == "new")


def test_eviction_by_the_server_is_seen(tmp_path, make_tier):
    from helpers.server_tools import running_server

    with running_server(tmp_path, "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-random") as server:
        source = dict.fromkeys(range(8), "old")
        f = cached(make_tier(server), source)
        for x in source:
            f(x)
        source.update(dict.fromkeys(source, "new"))
        client = server.client()
        for number in range(4000):
            client.set(f"filler:{number}", b"x" * 2000)
        assert client.info("stats")["evicted_keys"] > 0
        eventually(lambda: "new" in [f(x) for x in source])


def test_reply_that_was_held_back_is_not_kept(make_tier, shared_server, proxy):
    source = {1: "old"}
    f, g = cached(make_tier(proxy), source), cached(make_tier(shared_server), source)
    assert g(1) == "old"
    # The listener is there, and so is a connection to ask on.
    f.cache_contains(2)
    eventually(lambda: f.cache_parameters()["backend"].stats()["listening"])
    arrived, go_on = threading.Event(), threading.Event()

    def hold(piece):
        if b"value" in piece:
            arrived.set()
            return go_on
        return None

    proxy.hold = hold
    got = []
    readers = [threading.Thread(target=lambda: got.append(f(1))) for _ in range(2)]
    for reader in readers:
        reader.start()
    assert arrived.wait(5)
    source[1] = "new"
    g.cache_put("new", 1)
    time.sleep(0.1)
    proxy.hold = lambda piece: None
    go_on.set()
    for reader in readers:
        reader.join()
    # Who asked before the change may get what was there then, but nobody after it.
    assert set(got) <= {"old", "new"}
    assert f(1) == "new"
    assert f(1) == "new"


def test_killed_listener_empties_the_near_cache_and_comes_back(make_tier, server):
    source = {1: "old"}
    tier = make_tier(server)
    f = cached(tier, source)
    f(1)
    settle(f, 1)
    client = server.client()
    for _ in range(3):
        client.client_kill_filter(_type="pubsub")
        eventually(lambda: not tier.stats()["listening"])
        eventually(lambda: tier.stats()["listening"])
    assert tier.stats()["reconnects"] == 3
    settle(f, 1)


def test_nothing_near_is_served_while_the_listener_hears_nothing(make_tier, shared_server, proxy):
    source = {1: "old"}
    tier, other = make_tier(proxy, deadline=0.3), make_tier(shared_server)
    f, g = cached(tier, source), cached(other, source)
    f(1)
    settle(f, 1)
    # What the server tells does not arrive, what is asked of it does.
    frozen = threading.Event()
    proxy.hold = lambda piece: frozen if b"pong" in piece or b"__redis__" in piece else None
    try:
        source[1] = "new"
        g.cache_put("new", 1)
        begun = time.monotonic()
        eventually(lambda: f(1) == "new")
        assert time.monotonic() - begun < 5
        assert not is_near(f, 1)
    finally:
        proxy.hold = lambda piece: None
        frozen.set()
    settle(f, 1)
    assert f(1) == "new"


def test_nothing_is_kept_near_before_the_subscription(make_tier, shared_server, proxy):
    source = {1: "old"}
    frozen = threading.Event()
    proxy.hold = lambda piece: frozen if b"subscribe" in piece else None
    f, g = cached(make_tier(proxy, timeout=0.25), source), cached(make_tier(shared_server), source)
    assert f(1) == "old"
    assert not is_near(f, 1)
    g.cache_put("new", 1)
    frozen.set()
    assert f(1) == "new"
    settle(f, 1)
    assert f(1) == "new"


def test_changes_while_the_connection_is_down_are_seen_after_it(make_tier, shared_server, proxy):
    source = {1: "old"}
    tier = make_tier(proxy)
    f, g = cached(tier, source), cached(make_tier(shared_server), source)
    f(1)
    settle(f, 1)
    proxy.cut(refuse=True)
    g.cache_put("new", 1)
    eventually(lambda: not tier.stats()["listening"])
    proxy._refuses = False
    eventually(lambda: tier.stats()["listening"] and not tier.stats()["away"])
    assert f(1) == "new"


WRITER = """
import os, random, sys, time
import tamis
from tamis.remote import Redis, Unreachable

url, namespace, seed = sys.argv[1:]
random = random.Random(int(seed))
tier = Redis(url, namespace=namespace, timeout=5)

@tamis.lru_cache(maxsize=8, backend=tier, name="versions")
def version(key):
    return 0

ends = time.monotonic() + 4
while time.monotonic() < ends:
    key = random.randrange(12)
    try:
        choice = random.random()
        if choice < 0.1:
            version.cache_put(version(key) + 1, key)
        elif choice < 0.12:
            version.cache_invalidate(key)
        else:
            version(key)
    except Unreachable:
        pass
print("ready", flush=True)
sys.stdin.readline()
time.sleep(0.3)
print([version(key) for key in range(12)], flush=True)
print([version(key) for key in range(12)], flush=True)
"""


def test_random_writers_agree_after_quiet(server, namespace):
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(Child(WRITER, server.url, namespace, seed)) for seed in range(4)]
        client, number = server.client(), random.Random(0)
        for _ in range(15):
            time.sleep(number.random() / 5)
            client.client_kill_filter(_type=number.choice(["pubsub", "normal"]), skipme=True)
        assert {writer.says() for writer in writers} == {"ready"}
        for writer in writers:
            writer.tell()
        seen = {writer.says() for writer in writers for _ in range(2)}
    assert len(seen) == 1
    assert seen != {""}
