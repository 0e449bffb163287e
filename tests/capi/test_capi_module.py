"""The C API where something else stands in the place of the module that it belongs to."""

from __future__ import annotations

import sys
import types

import pytest

import tamis


@pytest.mark.parametrize("name", ["math", "_struct", "tamis", "sys"])
def test_make_refuses_another_module_in_the_place_of_ours(api, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "tamis._core", __import__(name))
    with pytest.raises(TypeError, match=r"stands in the place of tamis\._core"):
        api.make(len)


@pytest.mark.parametrize("other", [object(), 3, types.ModuleType("tamis._core")])
def test_make_refuses_what_is_no_extension_module(api, monkeypatch, other):
    monkeypatch.setitem(sys.modules, "tamis._core", other)
    with pytest.raises(TypeError, match=r"stands in the place of tamis\._core"):
        api.make(len)


def test_make_without_the_module_is_an_import_error(api, monkeypatch):
    monkeypatch.setitem(sys.modules, "tamis._core", None)
    with pytest.raises(ImportError):
        api.make(len)


def test_caches_that_are_there_need_no_module_in_its_place(api, monkeypatch):
    made = api.make(len)
    method = tamis.cached_method(lambda self, x: x)
    monkeypatch.setitem(sys.modules, "tamis._core", __import__("_struct"))
    assert api.check(made)
    assert not api.check(len)
    assert api.call(made, "abc") == 3
    assert api.lookup(made, "abc") == (3,)
    assert api.contains(made, "abc")
    assert api.put(made, 7, "ab") is None
    assert api.call(made, "ab") == 7
    assert api.invalidate(made, "ab")
    assert api.counts(made, 80)["hits"] == 2
    assert api.clear(made) is None
    assert method.cache_for(type("Thing", (), {})())(1) == 1
