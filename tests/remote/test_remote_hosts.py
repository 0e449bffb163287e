"""Forks, exits, event loops, interpreters: wherever Python programs run."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import subprocess
import sys
import threading

import pytest

import tamis
from helpers.interpreter_tools import IN_INTERPRETERS
from helpers.marks import (
    FREE_THREADED,
    for_interpreters_with_their_own_gil,
    for_systems_with_fork,
    forks_beside_threads,
)
from helpers.server_tools import eventually, free_port
from helpers.subprocess_tools import environment_with, run_child

PROGRAM = """
import os, sys, threading, time
import tamis
from tamis.remote import Redis
tier = Redis({url!r}, namespace={namespace!r}, timeout=5)

@tamis.lru_cache(maxsize=10, backend=tier, name="f")
def f(x):
    return [x]

f(1)
"""


def program(server, namespace, rest):
    return PROGRAM.format(url=server.url, namespace=namespace) + rest


@for_systems_with_fork
@forks_beside_threads
def test_child_of_a_fork_connects_anew(shared_server, namespace):
    rest = """
old = threading.active_count()
while not tier.stats()["listening"]:
    time.sleep(0.001)
f(1)
child = os.fork()
if child == 0:
    status = 1
    try:
        assert not tier.stats()["listening"]
        assert f(1) == [1]
        f.cache_put([2], 1)
        while not tier.stats()["listening"]:
            time.sleep(0.001)
        assert f(1) == [2]
        assert threading.active_count() == 2
        status = 0
    finally:
        os._exit(status)
assert os.waitpid(child, 0)[1] == 0
while f(1) != [2]:
    time.sleep(0.001)
f.cache_put([3], 1)
assert f(1) == [3]
print("done")
"""
    assert run_child(program(shared_server, namespace, rest), options=["-W", "ignore"]) == "done\n"


@for_systems_with_fork
@forks_beside_threads
def test_child_of_a_fork_keeps_no_lease_of_its_parent(shared_server, namespace):
    rest = """
@tamis.lru_cache(backend=tier, name="leased", single_flight=True)
def leased(x):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            assert tier.stats()["leases"] == 0
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    return x

assert leased(1) == 1
print("done")
"""
    assert run_child(program(shared_server, namespace, rest), options=["-W", "ignore"]) == "done\n"


@pytest.mark.parametrize(
    "rest",
    [
        "print('done')",
        "threading.Thread(target=lambda: [*map(f, range(10**9))], daemon=True).start(); time.sleep(.1); print('done')",
        "tier.close(); print('done')",
        "import asyncio; g = tamis.cache(backend=tier, name='g')(asyncio.sleep); asyncio.run(g(0)); print('done')",
    ],
    ids=["listening", "daemon", "closed", "executor"],
)
def test_exit(shared_server, namespace, rest):
    assert run_child(program(shared_server, namespace, rest), seconds=20) == "done\n"


def test_exit_while_the_server_is_absent(namespace):
    code = PROGRAM.format(url=f"redis://127.0.0.1:{free_port()}/0", namespace=namespace)
    assert run_child(code + "print('done')", seconds=20) == "done\n"


def test_no_thread_is_left(tier, make_tier, shared_server):
    f = tamis.cache(lambda x: x, backend=tier, name="f")
    f(1)

    @tamis.cache(backend=tier, name="g")
    async def g(x):
        return x

    asyncio.run(g(1))
    assert any(thread.name == "tamis.remote" for thread in threading.enumerate())
    tier.close()
    eventually(lambda: not any(thread.name.startswith("tamis.remote") for thread in threading.enumerate()))


def test_one_listener_for_a_thousand_functions(tier):
    functions = [tamis.lru_cache(backend=tier, name=f"f{number}")(lambda x: x) for number in range(1000)]
    for f in functions[:50]:
        f(1)
    assert sum(thread.name == "tamis.remote" for thread in threading.enumerate()) == 1
    assert tier.stats()["functions"] == 1000


def test_loops_of_several_threads(make_tier, shared_server):
    tier = make_tier(shared_server)
    calls = []

    @tamis.cache(backend=tier, name="loops")
    async def f(x):
        calls.append(x)
        await asyncio.sleep(0.01)
        return [x]

    async def main():
        return await asyncio.gather(*(f(x % 20) for x in range(200)))

    results = []
    threads = [threading.Thread(target=lambda: results.append(asyncio.run(main()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[[x % 20] for x in range(200)]] * 4
    assert sorted(calls) == list(range(20))
    # Each run has a loop of its own.
    asyncio.run(main())
    assert len(calls) == 20


def test_uvloop(tier):
    uvloop = pytest.importorskip("uvloop")

    @tamis.cache(backend=tier, name="uvloop")
    async def f(x):
        await asyncio.sleep(0)
        return [x]

    async def main():
        return await asyncio.gather(*(f(x % 3) for x in range(30)))

    loop = uvloop.new_event_loop()
    try:
        assert loop.run_until_complete(main()) == [[x % 3] for x in range(30)]
    finally:
        loop.close()


def test_a_loop_is_not_blocked_by_a_frozen_server(make_tier, server):
    tier = make_tier(server, timeout=2)

    @tamis.cache(backend=tier, name="frozen")
    async def f(x):
        return [x]

    async def main():
        await f(0)
        server.freeze()
        try:
            ticks = []

            async def tick():
                while True:
                    ticks.append(asyncio.get_running_loop().time())
                    await asyncio.sleep(0.01)

            ticking = asyncio.create_task(tick())
            assert await f(1) == [1]
            ticking.cancel()
            assert max(after - before for before, after in itertools.pairwise(ticks)) < 1
        finally:
            server.thaw()

    asyncio.run(main())


@for_interpreters_with_their_own_gil
@pytest.mark.skipif(
    sys.version_info < (3, 13), reason="CPython 3.12 aborts by itself once ssl was imported in such an interpreter"
)
@pytest.mark.skipif(FREE_THREADED, reason="redis is not imported in several interpreters of a free-threaded build")
def test_interpreters_with_their_own_gil(shared_server, namespace):
    code = (
        IN_INTERPRETERS
        + f"""
WORK = '''
import sys
sys.path[:0] = {[path for path in __import__("sys").path if path]!r}
{PROGRAM.format(url=shared_server.url, namespace=namespace)}
assert f(1) == [1]
tier.close()
'''
in_new_interpreter(WORK)
exec(WORK, {{}})
print("done")
"""
    )
    assert run_child(code) == "done\n"


def test_threads(make_tier, shared_server):
    tiers = [make_tier(shared_server) for _ in range(2)]
    versions = dict.fromkeys(range(8), 0)
    functions = [tamis.lru_cache(maxsize=6, backend=tier, name="threads")(versions.__getitem__) for tier in tiers]
    failures = []
    ends = threading.Event()

    def read(f):
        try:
            while not ends.is_set():
                for x in range(8):
                    assert 0 <= f(x) <= 200
        except Exception as error:
            failures.append(error)

    readers = [threading.Thread(target=read, args=(f,)) for f in functions for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 201):
        x = number % 8
        versions[x] = number
        functions[number % 2].cache_invalidate(x)
        assert functions[number % 2](x) == number
    ends.set()
    for reader in readers:
        reader.join()
    assert failures == []
    for f in functions:
        eventually(lambda f=f: [f(x) for x in range(8)] == [versions[x] for x in range(8)])
        assert f.cache_info().currsize <= 6


APPLICATION = """
import os
import tamis
from tamis.remote import Redis

tier = Redis(os.environ["TIER"], namespace=os.environ["NAMESPACE"], timeout=5)

@tamis.lru_cache(backend=tier, name="pages")
def page(number):
    return f"page {number}"

page(0)  # before the workers are forked

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()}|{page(int(environ['QUERY_STRING']))}".encode()]
"""


@for_systems_with_fork
def test_workers_of_a_preloaded_server(tmp_path, make_tier, shared_server, namespace):
    pytest.importorskip("gunicorn", reason="gunicorn is not installed: the extra 'test' has it, for Linux")
    (tmp_path / "pages.py").write_text(APPLICATION)
    port = free_port()

    def get(number):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", f"/?{number}")
            return connection.getresponse().read().decode().split("|")
        except OSError:
            return None
        finally:
            connection.close()

    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--bind", f"127.0.0.1:{port}"]
    environment = environment_with(str(tmp_path), *sys.path, TIER=shared_server.url, NAMESPACE=namespace)
    with open(tmp_path / "log", "wb") as log:
        server = subprocess.Popen(
            [*command, "pages:application"], cwd=tmp_path, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        eventually(lambda: get(0), 30)
        workers = set()
        eventually(lambda: (workers.add(get(1)[0]), len(workers))[1] == 2, 30)
        page = tamis.lru_cache(backend=make_tier(shared_server), name="pages")(str)
        assert page(1) == "page 1"
        page.cache_put("new", 1)
        eventually(lambda: get(1)[1] == "new")
        assert all(get(1)[1] == "new" for _ in range(20))
    finally:
        server.terminate()
        server.wait(20)
