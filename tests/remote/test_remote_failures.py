"""A server that is absent, frozen, slow, full, read-only, or answers rubbish: the caller gets the function's result."""

from __future__ import annotations

import socket
import threading
import time
from functools import partial

import pytest

import tamis
from helpers.server_tools import eventually, free_port, running_server
from tamis.remote import Redis, Unreachable


def counted(tier, **options):
    calls = []

    @tamis.lru_cache(**{"maxsize": 100, "ttl": 60, "backend": tier, "name": "f", **options})
    def f(x):
        calls.append(x)
        return [x]

    return f, calls


def seconds_of(call):
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


def changes(f):
    return [lambda: f.cache_put(1, 1), lambda: f.cache_invalidate(1), f.cache_clear, lambda: f.cache_refresh(1)]


@pytest.fixture
def absent(namespace):
    with Redis(f"redis://127.0.0.1:{free_port()}/0", namespace=namespace) as tier:
        yield tier


def test_absent_server(absent):
    f, calls = counted(absent)
    for x in range(50):
        assert f(x % 10) == [x % 10]
    assert calls == list(range(10))
    assert f.cache_stats()["errors"] == 10
    assert seconds_of(lambda: f(1000)) < 0.2
    for change in changes(f):
        with pytest.raises(Unreachable) as caught:
            change()
        assert isinstance(caught.value, ConnectionError)
    with pytest.raises(Unreachable):
        absent.ping()
    assert not f.cache_contains(5)


def test_results_live_in_memory_alone_for_a_while(namespace):
    with Redis(f"redis://127.0.0.1:{free_port()}/0", namespace=namespace, away=0.3) as tier:
        f, calls = counted(tier)
        for _ in range(5):
            f(1)
        assert calls == [1]
        time.sleep(0.4)
        f(1)
        assert calls == [1, 1]


def test_frozen_server_costs_a_few_calls_their_timeout_and_then_nobody(make_tier, server):
    tier = make_tier(server, timeout=0.5)
    f, calls = counted(tier)
    assert f(0) == [0]
    eventually(lambda: tier.stats()["listening"])
    server.freeze()
    try:
        spans = [seconds_of(lambda x=x: f(x)) for x in range(1, 30)]
        assert max(spans) < 2 * 0.5 + 1
        assert sum(span > 0.4 for span in spans) <= 3
        assert calls == list(range(30))
        for change in changes(f):
            with pytest.raises(Unreachable):
                change()
    finally:
        server.thaw()
    eventually(lambda: not tier.stats()["away"] and tier.stats()["listening"], 20)
    f(100)
    assert f.cache_contains(100)
    assert server.client().dbsize() >= 2


def test_many_threads_beside_a_frozen_server(make_tier, server):
    tier = make_tier(server, timeout=0.5)
    f, _ = counted(tier)
    f(0)
    server.freeze()
    spans = []

    def work(seed):
        for x in range(100):
            spans.append(seconds_of(partial(f, 1000 * seed + x)))

    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(spans) == 800
        assert sum(span > 0.4 for span in spans) <= 8 * 3
    finally:
        server.thaw()


def test_server_that_begins_anew(make_tier, server):
    f, calls = counted(make_tier(server))
    f(1)
    server.stop()
    assert f(2) == [2]
    server.start()
    eventually(lambda: (f(3), f.cache_contains(3))[1], 20)
    assert f(1) == [1]
    assert calls.count(1) == 2


def test_server_that_closes_idle_connections(make_tier, server):
    f, _ = counted(make_tier(server))
    f(1)
    for x in range(2, 6):
        server.client().client_kill_filter(_type="normal", skipme=True)
        f(x)
    assert f.cache_stats()["errors"] == 0


def test_full_server(tmp_path, make_tier):
    with running_server(tmp_path, "--maxmemory", "1mb", "--maxmemory-policy", "noeviction") as server:
        tier = make_tier(server)
        f, calls = counted(tier)
        assert f(1) == f(1) == [1]
        assert calls == [1]
        with pytest.raises(Unreachable, match="maxmemory"):
            f.cache_put([2], 2)


def test_read_only_server(tmp_path, make_tier, shared_server):
    with running_server(tmp_path, "--replicaof", "127.0.0.1", str(shared_server.port)) as server:
        f, calls = counted(make_tier(server))
        assert f(1) == f(1) == [1]
        assert calls == [1]
        with pytest.raises(Unreachable):
            f.cache_put([2], 2)


def test_wrong_password(tmp_path, make_tier):
    with running_server(tmp_path, "--requirepass", "right") as server:
        f, calls = counted(make_tier(server))
        assert f(1) == f(1) == [1]
        assert calls == [1]
        with Redis(f"redis://:right@127.0.0.1:{server.port}/0", namespace="x") as tier:
            g, _ = counted(tier)
            g(1)
            assert g.cache_contains(1)


RUBBISH = [
    b"",
    b"\0" * 100,
    b"$99999999999\r\n",
    b"+PONG\r\n" * 50,
    b":1\r\n" * 50,
    b"*-1\r\n" * 50,
    b"-ERR no\r\n" * 50,
    b"$-5\r\n",
]


@pytest.mark.parametrize("rubbish", RUBBISH, ids=repr)
def test_server_that_answers_rubbish(namespace, rubbish):
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                client, _ = listening.accept()
                with client:
                    client.recv(1 << 16)
                    client.sendall(rubbish)
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    try:
        with Redis(f"redis://127.0.0.1:{listening.getsockname()[1]}/0", namespace=namespace, timeout=0.1) as tier:
            f, calls = counted(tier)
            for _ in range(3):
                assert f(1) == [1]
            assert calls == [1]
            with pytest.raises(Unreachable):
                f.cache_put([1], 1)
    finally:
        listening.close()


@pytest.mark.parametrize(
    "error", ["LOADING x", "MASTERDOWN x", "CLUSTERDOWN x", "MOVED 1 h:1", "NOAUTH x", "NOPERM x", "BUSY x", "ERR x"]
)
def test_errors_in_the_place_of_replies(make_tier, shared_server, proxy, error):
    tier = make_tier(proxy)
    f, calls = counted(tier)
    f(0)
    proxy.change = (
        lambda piece: f"-{error}\r\n".encode()
        if piece.startswith((b"*1", b"*2", b"*3")) and b"message" not in piece
        else piece
    )
    for _ in range(3):
        assert f(1) == [1]
    assert calls == [0, 1]
    with pytest.raises(Unreachable):
        f.cache_put([1], 1)
    proxy.change = lambda piece: piece
    eventually(lambda: (f(2), f.cache_contains(2))[1], 20)


def test_stale_and_stale_if_error_while_the_server_is_away(namespace):
    fails = []

    with Redis(f"redis://127.0.0.1:{free_port()}/0", namespace=namespace, away=0.1) as tier:

        @tamis.lru_cache(ttl=0.1, stale_if_error=60, retry=0.1, backend=tier, name="stale")
        def f(x):
            if fails:
                raise ValueError(x)
            return x

        assert f(1) == 1
        fails.append(True)
        time.sleep(0.2)
        assert f(1) == 1
        with pytest.raises(ValueError, match="2"):
            f(2)


def test_stale_if_error_of_what_another_process_has_stored(make_tier, shared_server):
    options = {"ttl": 0.2, "stale_if_error": 60, "retry": 0.2, "name": "on-error", "maxsize": 10}
    f, _ = counted(make_tier(shared_server), **options)
    f(1)
    time.sleep(0.3)

    @tamis.lru_cache(**options, backend=make_tier(shared_server))
    def g(x):
        raise ValueError(x)

    assert g(1) == [1]
    assert g.cache_stats()["errors"] == 1
    with pytest.raises(ValueError, match="2"):
        g(2)


def test_one_process_computes_a_stale_entry_anew_and_others_have_it(make_tier, shared_server):
    options = {"ttl": 0.2, "stale": 60, "name": "stale", "maxsize": 10}
    go_on, begun = threading.Event(), threading.Event()
    version = [1]

    def function(x):
        if version[0] == 2:
            begun.set()
            go_on.wait(10)
        return version[0]

    f, g = (tamis.lru_cache(**options, backend=make_tier(shared_server))(function) for _ in range(2))
    assert f(1) == g(1) == 1
    time.sleep(0.3)
    version[0] = 2
    slow = threading.Thread(target=f, args=(1,))
    slow.start()
    assert begun.wait(5)
    assert g(1) == 1
    assert g.cache_stats()["stale_hits"] >= 1
    go_on.set()
    slow.join()
    eventually(lambda: g(1) == 2)
