"""The connection of a loop's tasks: replies in any pieces, rubbish, ends, and many tasks at once."""

from __future__ import annotations

import asyncio
import gc
import warnings

import pytest
from hypothesis import given, strategies

import tamis
from helpers.server_tools import eventually
from tamis.remote._pipe import _parsed, packed
from tamis.remote._requests import ReplyError


def as_reply(value):
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, bytes):
        return b"$%d\r\n%b\r\n" % (len(value), value)
    if isinstance(value, int):
        return b":%d\r\n" % value
    return b"*%d\r\n" % len(value) + b"".join(map(as_reply, value))


leaves = strategies.none() | strategies.binary(max_size=30) | strategies.integers(-(1 << 62), 1 << 62)
replies = leaves | strategies.lists(leaves | strategies.lists(leaves, max_size=3), max_size=4)


@given(strategies.lists(replies, min_size=1, max_size=5))
def test_replies_are_read_one_after_the_other(values):
    content = bytearray(b"".join(map(as_reply, values)))
    at, read = 0, []
    while at < len(content):
        value, at = _parsed(content, at, 0)
        read.append(value)
    assert read == values


@given(replies, strategies.data())
def test_part_of_a_reply_is_waited_for(value, data):
    content = as_reply(value)
    cut = data.draw(strategies.integers(0, len(content) - 1))
    with pytest.raises(IndexError):
        _parsed(bytearray(content[:cut]), 0, 0)


@given(strategies.binary(max_size=100))
def test_rubbish_is_a_reply_or_told(content):
    try:
        _, at = _parsed(bytearray(content), 0, 0)
        assert 0 < at <= len(content)
    except (IndexError, ValueError):
        pass


def test_errors_and_lines():
    assert _parsed(bytearray(b"+OK\r\n"), 0, 0) == (b"OK", 5)
    error, _ = _parsed(bytearray(b"-NOSCRIPT No matching script.\r\n"), 0, 0)
    assert isinstance(error, ReplyError)
    assert error.is_missing_script
    assert not error.is_elsewhere
    assert _parsed(bytearray(b"-READONLY You can't\r\n"), 0, 0)[0].is_elsewhere
    for rubbish in (b"*9\r\n" * 9, b"$-2\r\n", b"$99999999999\r\n", b"*-2\r\n", b":x\r\n", b"?\r\n", b"x" * (1 << 17)):
        with pytest.raises(ValueError, match="no |invalid literal|without an end"):
            _parsed(bytearray(rubbish), 0, 0)


def test_commands():
    assert packed((b"SET", b"a", 12)) == b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n12\r\n"


def cached(tier, name="f"):
    calls = []

    @tamis.lru_cache(maxsize=0, backend=tier, name=name)
    async def f(x):
        calls.append(x)
        return [x]

    return f, calls


def test_large_values_and_many_tasks(tier):
    f, calls = cached(tier)

    async def main():
        for _ in range(2):
            values = await asyncio.gather(*(f("x" * (x * 4000)) for x in range(200)))
            assert [len(value[0]) for value in values] == [x * 4000 for x in range(200)]
        assert len(calls) == 200

    asyncio.run(main())


def test_loops_that_come_and_go_leave_nothing(tier, shared_server):
    f, calls = cached(tier)
    client = shared_server.client()
    before = len(client.client_list())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(20):
            assert asyncio.run(f(1)) == [1]
            gc.collect()
    assert calls == [1]
    eventually(lambda: len(client.client_list()) < before + 8)


def test_connection_that_the_server_closes_is_made_anew(make_tier, server):
    f, calls = cached(make_tier(server))

    async def main():
        assert await f(1) == [1]
        for _ in range(5):
            await asyncio.to_thread(server.client().client_kill_filter, _type="normal", skipme=True)
            assert await f(1) == [1]
        assert calls == [1]
        assert f.cache_stats()["errors"] == 0

    asyncio.run(main())


def test_frozen_server_costs_tasks_their_timeout_once(make_tier, server):
    tier = make_tier(server, timeout=0.2)
    f, _ = cached(tier)

    async def main():
        await f(0)
        server.freeze()
        try:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            assert await asyncio.gather(*(f(x) for x in range(1, 50))) == [[x] for x in range(1, 50)]
            assert loop.time() - begun < 5
            begun = loop.time()
            for x in range(50, 60):
                await f(x)
            assert loop.time() - begun < 1
        finally:
            server.thaw()

    asyncio.run(main())
    eventually(lambda: not tier.stats()["away"], 20)


def test_rubbish_in_the_place_of_replies_is_a_miss(make_tier, shared_server, proxy):
    tier = make_tier(proxy)
    f, calls = cached(tier)

    async def main():
        await f(1)
        proxy.change = lambda piece: b"*1\r\n*1\r\n" + piece
        assert await f(1) == [1]
        proxy.change = lambda piece: b":1\r\n"
        assert await f(1) == [1]
        proxy.change = lambda piece: piece

    asyncio.run(main())
    assert len(calls) >= 2


def test_closing_while_tasks_wait(make_tier, server):
    tier = make_tier(server, timeout=20)
    f, _ = cached(tier)

    async def main():
        await f(0)
        server.freeze()
        try:
            waiting = [asyncio.create_task(f(x)) for x in range(1, 5)]
            await asyncio.sleep(0.05)
            await asyncio.to_thread(tier.close)
            assert await asyncio.wait_for(asyncio.gather(*waiting), 5) == [[x] for x in range(1, 5)]
        finally:
            server.thaw()

    asyncio.run(main())
