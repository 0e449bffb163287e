"""Options whose name or place is nearly right, and options that would do nothing: what people get to read."""

from __future__ import annotations

import datetime
import inspect
import time

import pytest

import tamis
from helpers.marks import for_shared_caches

DECORATORS = [tamis.lru_cache, tamis.cache, tamis.cached_method]
EVERY_DECORATOR = pytest.mark.parametrize("decorator", DECORATORS, ids=lambda decorator: decorator.__name__)


@EVERY_DECORATOR
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("max_size", "maxsize"),
        ("maxSize", "maxsize"),
        ("MAXSIZE", "maxsize"),
        ("mxsize", "maxsize"),
        ("size", "maxsize"),
        ("capacity", "maxsize"),
        ("type", "typed"),
        ("TTL", "ttl"),
        ("tll", "ttl"),
        ("ttl_seconds", "ttl"),
        ("timeout", "ttl"),
        ("expire", "ttl"),
        ("max_age", "ttl"),
        ("max_idle", "tti"),
        ("jiter", "jitter"),
        ("stale_while_revalidate", "stale"),
        ("kye", "key"),
        ("key_func", "key"),
        ("ignores", "ignore"),
        ("exclude", "ignore"),
        ("single_fligt", "single_flight"),
        ("singleflight", "single_flight"),
        ("wiegher", "weigher"),
        ("getsizeof", "weigher"),
        ("max_weight", "maxweight"),
        ("on_eviction", "on_evict"),
        ("onEvict", "on_evict"),
        ("deepcopy", "copy"),
        ("timer", "clock"),
        ("back_end", "backend"),
        ("max_byte", "max_bytes"),
        ("serialiser", "serializer"),
    ],
)
def test_misspelt_option_names_the_one_that_was_meant(decorator, written, meant):
    with pytest.raises(TypeError, match=rf"{decorator.__name__}\(\).*'{written}'.*did you mean '{meant}'\?"):
        decorator(**{written: 1})


@EVERY_DECORATOR
@pytest.mark.parametrize("name", ["xyz", "", "q" * 10_000, "\ud800", "ключ"])
def test_name_that_is_like_none_gets_the_list_of_options(decorator, name):
    with pytest.raises(TypeError, match=r"it takes maxsize, typed, ttl.*serializer$"):
        decorator(**{name: 1})


def test_mapping_offers_only_what_it_takes():
    with pytest.raises(TypeError, match=r"SieveCache\(\).*'max_size': it takes maxsize, ttl.*did you mean 'maxsize'\?"):
        tamis.SieveCache(max_size=3)
    with pytest.raises(TypeError, match="did you mean 'on_evict'"):
        tamis.SieveCache(3, onevict=print)
    with pytest.raises(TypeError) as caught:
        tamis.SieveCache(3, serialiser=1)
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("decorator", [tamis.lru_cache, tamis.cached_method])
@pytest.mark.parametrize("typed", [60, 0.5, -1, 3600.0, datetime.timedelta(minutes=1)], ids=repr)
def test_time_in_the_place_of_typed_is_refused(decorator, typed):
    for maxsize in (128, None, len):
        with pytest.raises(TypeError, match=r"typed takes True or False.*ttl="):
            decorator(maxsize, typed)


@pytest.mark.parametrize("typed", [True, False, 1, 0, 1.0, None, "yes", ""])
def test_flags_of_all_kinds_stay_what_functools_takes(typed):
    assert tamis.lru_cache(128, typed)(len).cache_parameters() == {"maxsize": 128, "typed": typed}
    assert tamis.lru_cache(128, typed=60)(len).cache_parameters() == {"maxsize": 128, "typed": 60}


@EVERY_DECORATOR
@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"clock": time.monotonic}, ["clock", "ttl", "tti"]),
        ({"jitter": 0.1}, ["jitter", "ttl"]),
        ({"jitter": 0.1, "tti": 5}, ["jitter", "ttl"]),
        ({"stale": 5}, ["stale", "ttl"]),
        ({"weigher": len}, ["weigher", "maxweight"]),
        ({"maxweight": 5}, ["weigher", "maxweight"]),
        ({"name": "prices"}, ["name", "backend='shared'"]),
        ({"path": "/tmp"}, ["path", "backend='shared'"]),
        ({"max_bytes": 1 << 20, "backend": "memory"}, ["max_bytes", "backend='shared'"]),
        ({"serializer": __import__("pickle")}, ["serializer", "backend='shared'"]),
        ({"key": len, "ignore": "x"}, ["key", "ignore"]),
        ({"ttl": None, "stale": 5}, ["stale", "ttl"]),
        ({"weigher": len, "maxweight": None}, ["weigher", "maxweight"]),
    ],
    ids=repr,
)
def test_option_that_would_do_nothing_is_refused_and_names_what_it_needs(decorator, options, names):
    with pytest.raises(ValueError, match=names[0]) as caught:
        decorator(**options)
    assert all(name in str(caught.value) for name in names)


@for_shared_caches
def test_region_that_holds_nothing_is_refused_with_the_least_size(tmp_path):
    for decorator in (tamis.lru_cache, tamis.cache):
        for size in (1, 1000, (64 << 10) - 1):
            with pytest.raises(ValueError, match="max_bytes takes.*65536"):
                decorator(backend="shared", path=tmp_path, max_bytes=size)
    assert tamis.cache(backend="shared", path=tmp_path, max_bytes=64 << 10, name="least")(len)("ab") == 2


def test_mapping_s_signature_has_all_options():
    signature = inspect.signature(tamis.SieveCache)
    assert list(signature.parameters) == ["maxsize", "ttl", "weigher", "maxweight", "on_evict"]
    signature.bind(10, ttl=60)
    with pytest.raises(TypeError):
        signature.bind(10, 60)

    class Own(tamis.SieveCache):
        pass

    assert inspect.signature(Own) == signature


@EVERY_DECORATOR
def test_signature_has_all_options(decorator):
    signature = inspect.signature(decorator)
    signature.bind(ttl=60)
    signature.bind(maxsize=None, typed=True, backend="shared", name="x", path="/tmp", max_bytes=1, serializer=None)
    with pytest.raises(TypeError):
        signature.bind(ttl_seconds=60)
    options = [name for name in signature.parameters if name != "user_function"]
    for name in options:
        assert decorator(**{name: signature.parameters[name].default})(len)
    with pytest.raises(TypeError) as caught:
        decorator(**{"?": 1})
    assert all(name in str(caught.value) for name in options)
    assert set(signature.parameters) >= {"maxsize", "typed", "ttl", "on_evict", "serializer"}
