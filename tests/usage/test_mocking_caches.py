"""Tests of programs that replace cached functions: unittest.mock and pytest's own ways."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import types
import unittest.mock
from types import ModuleType

import pytest

import tamis
from helpers.package_tools import as_functools


@as_functools
def test_autospec_keeps_the_signature_and_the_methods(caches: ModuleType):
    @caches.cache
    def double(number: int) -> int:
        return 2 * number

    mocked = unittest.mock.create_autospec(double, return_value=7)
    assert mocked(3) == 7
    mocked.assert_called_once_with(3)
    mocked.cache_clear()
    mocked.cache_clear.assert_called_once_with()
    with pytest.raises(AttributeError):
        mocked.cache_nothing()
    assert isinstance(mocked, type(double))


@as_functools
def test_a_cached_function_is_patched_and_put_back(caches: ModuleType):
    @caches.cache
    def double(number: int) -> int:
        return 2 * number

    place = types.SimpleNamespace(double=double)
    with unittest.mock.patch.object(place, "double", autospec=True) as mocked:
        place.double(1)
        mocked.assert_called_once_with(1)
    with unittest.mock.patch.object(place, "double", wraps=double):
        assert place.double(2) == 4
    assert place.double is double


@as_functools
def test_cached_methods_are_patched_in_their_class(caches: ModuleType, monkeypatch: pytest.MonkeyPatch):
    class Account:
        @caches.cache
        def total(self) -> int:
            return 3

    before = vars(Account)["total"]
    with unittest.mock.patch.object(Account, "total", return_value=5):
        assert Account().total() == 5
    assert vars(Account)["total"] is before
    monkeypatch.setattr(Account, "total", caches.cache(lambda self: 6))
    assert Account().total() == 6
    monkeypatch.undo()
    assert Account().total() == 3


def test_the_mock_of_a_cached_coroutine_function_is_awaited():
    @tamis.cache
    async def double(number: int) -> int:
        return 2 * number

    mocked = unittest.mock.create_autospec(double, return_value=7)
    assert isinstance(mocked, unittest.mock.AsyncMock) or asyncio.iscoroutinefunction(mocked)
    assert asyncio.run(mocked(3)) == 7
    mocked.assert_awaited_once_with(3)


def test_a_spec_of_tamis_has_the_methods_of_tamis():
    mocked = unittest.mock.Mock(spec=tamis.cache(len))
    mocked.cache_invalidate("abc")
    with pytest.raises(AttributeError):
        mocked.cache_nothing()


@as_functools
def test_pytest_takes_cached_fixtures_and_tests(caches: ModuleType, tmp_path):
    (tmp_path / "test_cached.py").write_text(f"""
import pytest
import {caches.__name__} as caches

calls = []

@pytest.fixture
@caches.cache
def number():
    calls.append(1)
    return 3

def test_first(number):
    assert number == 3

def test_second(number):
    assert number == 3 and calls == [1]

@caches.cache
def test_that_is_cached(number):
    assert number == 3

@caches.lru_cache
def helper_that_is_no_test():
    raise AssertionError

class TestClass:
    @caches.cache
    def test_method(self, number):
        assert number == 3
""")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
