"""What the tier and the decorators take with it, and what is wrong with what was given."""

from __future__ import annotations

import datetime
import pickle

import pytest

import tamis
from tamis.remote import Redis


def counted(tier):
    calls = []

    @tamis.lru_cache(backend=tier, name="counted")
    def f(*args, **kwargs):
        calls.append((args, kwargs))
        return [*args, kwargs]

    return f, calls


def test_parameters_and_pickling(tier):
    f, _ = counted(tier)
    assert f.cache_parameters()["backend"] is tier
    with pytest.raises(TypeError, match="can't be pickled"):
        pickle.dumps(tier)


WRONG = [
    ({"clock": lambda: 0.0}, ValueError, "clock can't be used"),
    ({"path": "/tmp"}, ValueError, "path and max_bytes go with"),
    ({"max_bytes": 1 << 20}, ValueError, "path and max_bytes go with"),
    ({"serializer": pickle}, ValueError, "from its own arguments"),
    ({"name": 1}, TypeError, "name takes"),
    ({"name": ""}, ValueError, "name takes"),
    ({"backend": Redis}, ValueError, "backend takes"),
    ({"backend": 1}, ValueError, "backend takes"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG, ids=str)
def test_wrong_options_of_the_decorator(tier, options, error, message):
    with pytest.raises(error, match=message):
        tamis.lru_cache(**{"ttl": 1, "backend": tier, **options})(len)


def test_cached_method_is_refused_with_a_reason(tier):
    with pytest.raises(ValueError, match="freed with the instance"):
        tamis.cached_method(backend=tier)(lambda self: 1)


WRONG_TIERS = [
    ({}, TypeError, "either url or client"),
    ({"url": 1}, TypeError, "url takes"),
    ({"url": "http://x"}, ValueError, "redis://"),
    ({"url": "redis://x", "namespace": ""}, ValueError, "namespace takes"),
    ({"url": "redis://x", "namespace": b"x"}, TypeError, "namespace takes"),
    *(
        ({"url": "redis://x", name: "1"}, TypeError, f"{name} takes")
        for name in ("timeout", "deadline", "away", "lease")
    ),
    *(
        ({"url": "redis://x", name: 0}, ValueError, f"{name} takes")
        for name in ("timeout", "deadline", "away", "lease")
    ),
    ({"url": "redis://x", "timeout": True}, TypeError, "timeout takes"),
    ({"url": "redis://x", "serializer": 1}, TypeError, "serializer takes"),
    ({"url": "redis://x", "serializer": pickle}, ValueError, "secret="),
    ({"url": "redis://x", "secret": "text"}, TypeError, "secret takes"),
    ({"url": "redis://x", "secret": b""}, ValueError, "secret takes"),
    ({"url": "redis://x", "max_value_bytes": 0}, ValueError, "max_value_bytes takes"),
    ({"url": "redis://x", "max_value_bytes": 1.5}, TypeError, "max_value_bytes takes"),
    ({"client": object()}, TypeError, "client takes"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), WRONG_TIERS, ids=str)
def test_wrong_arguments_of_the_tier(arguments, error, message):
    with pytest.raises(error, match=message):
        Redis(**{"namespace": "x", **arguments})


def test_client_in_the_place_of_an_address(shared_server, namespace):
    redis = pytest.importorskip("redis")
    client = redis.Redis(port=shared_server.port, decode_responses=True, protocol=3)
    with Redis(client=client, namespace=namespace, timeout=datetime.timedelta(seconds=1)) as tier:
        f, calls = counted(tier)
        assert f(1) == f(1) == [1, {}]
        assert len(calls) == 1
        assert tier.ping() < 1
        assert tier.stats()["listening"]
    with pytest.raises(TypeError, match=r"not a redis\.asyncio"):
        Redis(client=redis.asyncio.Redis(), namespace="x")
