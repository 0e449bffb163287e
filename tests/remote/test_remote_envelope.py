"""Any bytes at all may come from a server: they are a value that checks, or a miss."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, strategies

import tamis
from helpers.server_tools import eventually
from tamis import _core
from tamis.remote._envelope import Envelope

SECRETS = [None, b"secret"]


@given(
    payload=strategies.binary(max_size=200),
    key=strategies.binary(max_size=50),
    stale=strategies.integers(0, (1 << 64) - 1),
    on_error=strategies.integers(0, (1 << 64) - 1),
    secret=strategies.sampled_from(SECRETS),
)
def test_what_was_sealed_opens(payload, key, stale, on_error, secret):
    envelope = Envelope(secret, False)
    assert envelope.open(key, envelope.seal(key, payload, stale, on_error)) == (stale, on_error, payload)


@given(data=strategies.data(), secret=strategies.sampled_from(SECRETS))
def test_what_was_changed_does_not_open(data, secret):
    envelope = Envelope(secret, False)
    sealed = envelope.seal(b"key", data.draw(strategies.binary(max_size=40)), 1, 2)
    place = data.draw(strategies.integers(0, len(sealed) - 1))
    flipped = bytearray(sealed)
    flipped[place] ^= data.draw(strategies.integers(1, 255))
    assert envelope.open(b"key", bytes(flipped)) is None
    assert envelope.open(b"key", sealed[:place]) is None
    assert envelope.open(b"key", sealed + b"\0") is None
    assert envelope.open(b"other", sealed) is None


@given(strategies.binary(max_size=300))
def test_rubbish_does_not_open(content):
    for secret in SECRETS:
        assert Envelope(secret, False).open(b"key", content) is None


def test_other_secrets_versions_and_serializers_do_not_open():
    sealed = Envelope(b"one", False).seal(b"key", b"payload", 0, 0)
    assert Envelope(b"two", False).open(b"key", sealed) is None
    assert Envelope(None, False).open(b"key", sealed) is None
    assert Envelope(b"one", True).open(b"key", sealed) is None
    assert Envelope(b"one", False).open(b"key", None) is None
    # Another version, with a check of its own.
    message = bytearray(sealed[32:])
    message[2] = 2
    envelope = Envelope(b"one", False)
    assert envelope.open(b"key", envelope._check(b"key", bytes(message)) + bytes(message)) is None


@given(strategies.binary(max_size=300))
def test_bytes_of_no_value_are_none(content):
    decoded = _core._decode(content)
    assert decoded is None or type(decoded) is tuple


class Bomb:
    def __reduce__(self):
        return eval, ("1 / 0",)


def test_pickles_are_not_loaded_without_a_secret():
    assert _core._encode(Bomb(), 1000) is None
    assert _core._decode(_core._dumps(Bomb())) is None
    assert _core._decode(pickle.dumps(1)) is None
    assert _core._encode("x" * 1000, 100) is False


def nested(depth):
    value = ()
    for _ in range(depth):
        value = (value,)
    return value


def cached(tier, function=lambda x: [x]):
    return tamis.lru_cache(maxsize=0, backend=tier, name="f", ttl=60)(function)


def stored(server, namespace):
    client = server.client()
    return client, sorted(client.scan_iter(f"tamis:1:{{{namespace}:f:*}}:*"))


@pytest.mark.parametrize("content", [b"", b"x", b"\0" * 32, b"\xff" * 64, b"tm\x01" * 100, b"x" * (3 << 20)], ids=len)
def test_rubbish_in_the_place_of_a_value_is_a_miss_and_overwritten(tier, shared_server, namespace, content):
    f = cached(tier)
    f(1)
    client, (name,) = stored(shared_server, namespace)
    client.set(name, content)
    assert f(1) == [1]
    assert client.get(name) != content
    assert f.cache_info().misses == 2
    assert f(1) == [1]
    assert f.cache_info().misses == 2


def test_value_of_another_type_is_a_miss_and_overwritten(tier, shared_server, namespace):
    f = cached(tier)
    f(1)
    client, (name,) = stored(shared_server, namespace)
    client.delete(name)
    client.rpush(name, 1)
    assert f(1) == [1]
    assert f(1) == [1]
    assert f.cache_info().misses == 2


def test_values_that_were_swapped_are_misses(tier, shared_server, namespace):
    f = cached(tier)
    f(1), f(2)
    client, (first, second) = stored(shared_server, namespace)
    one, other = client.get(first), client.get(second)
    client.set(first, other)
    client.set(second, one)
    assert f(1) == [1]
    assert f(2) == [2]
    assert f.cache_info().misses == 4


def test_value_of_another_epoch_or_namespace_is_a_miss(make_tier, shared_server, namespace):
    f = cached(make_tier(shared_server))
    g = cached(make_tier(shared_server, namespace=namespace + "-other"))
    f(1), g(1)
    client, (name,) = stored(shared_server, namespace)
    _, (other,) = stored(shared_server, namespace + "-other")
    client.set(name, client.get(other))
    assert f(1) == [1]
    assert f.cache_info().misses == 2


def test_forged_value_is_a_miss(make_tier, shared_server, namespace):
    tier = make_tier(shared_server, serializer=pickle, secret=b"secret")
    f = cached(tier)
    f(1)
    client, (name,) = stored(shared_server, namespace)
    key = f.cache_parameters()["backend"]
    assert key is tier
    client.set(name, Envelope(b"guess", True).seal(b"any", pickle.dumps(Bomb()), 0, 0))
    assert f(1) == [1]
    assert f.cache_info().misses == 2


def test_deeply_nested_value_is_returned(tier):
    f = cached(tier, lambda: nested(20))
    for _ in range(2):
        assert f() == nested(20)


def test_arguments_are_nowhere_on_the_server(tier, shared_server, namespace):
    f = cached(tier, lambda x: len(x))
    f("a very private argument")
    client = shared_server.client()
    for name in client.scan_iter(f"*{namespace}*"):
        assert b"private" not in name
        assert b"private" not in (client.get(name) or b"")


def test_missing_epoch_is_a_clear(tier, shared_server, namespace):
    """Servers evict the epoch as well."""
    f = tamis.lru_cache(backend=tier, name="f", ttl=60)(lambda x: [x])
    f(1)
    client = shared_server.client()
    client.delete(f"tamis:1:{{{namespace}:f}}:epoch")
    eventually(lambda: not f.cache_contains(1))
    assert f(1) == [1]
    assert f.cache_info().misses == 2
