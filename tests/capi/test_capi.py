"""The C API, through extension modules that setuptools builds from tests/capi: the header, and how caches are made."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

import tamis
import tamis._core
from helpers.capi_tools import SOURCES, Refuse, Thing, listed, require_compiler, run
from tamis import lru_cache

# The header


def test_get_include_names_the_directory_of_the_committed_header():
    assert (Path(tamis.get_include()) / "tamis.h").read_bytes() == (
        SOURCES.parents[1] / "include" / "tamis.h"
    ).read_bytes()


def test_get_include_of_a_broken_installation_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(tamis, "__file__", str(tmp_path / "tamis" / "__init__.py"))
    with pytest.raises(FileNotFoundError, match=r"tamis\.h is not there"):
        tamis.get_include()


@pytest.mark.parametrize(("language", "compiler", "standard"), [("c", "cc", "c11"), ("cpp", "c++", "c++17")])
def test_header_compiles_without_warnings(tmp_path, language, compiler, standard):
    require_compiler(language)
    source = tmp_path / f"alone.{language}"
    source.write_text(
        "#include <tamis.h>\n#include <tamis.h>\nconst TamisAPI *api(void);\n"
        "const TamisAPI *api(void) { return tamis_import(); }\n"
    )
    # Python's headers are not to be judged.
    python = [f"-isystem{sysconfig.get_path(name)}" for name in ("include", "platinclude")]
    warnings = ["-Wall", "-Wextra", "-pedantic", "-Wshadow", "-Wconversion", "-Werror"]
    command = [compiler, f"-std={standard}", *warnings, *python, f"-I{tamis.get_include()}", "-fsyntax-only"]
    run([*command, str(source)], tmp_path)


def test_library_and_header_agree_on_version_and_size(api):
    numbers = api.numbers()
    assert numbers["abi_version"] == numbers["known_version"] == 1
    assert numbers["struct_size"] == numbers["known_size"]


def test_import_refuses_another_abi_version(api, monkeypatch):
    numbers = api.numbers()
    monkeypatch.setattr(tamis._core, "_C_API", api.forge(2, numbers["known_size"]))
    with pytest.raises(ImportError, match="ABI version 2, and this module was compiled for version 1"):
        api.reimport()


def test_import_refuses_a_library_that_is_older_than_the_header(api, monkeypatch):
    size = api.numbers()["known_size"]
    monkeypatch.setattr(tamis._core, "_C_API", api.forge(1, size - 8))
    with pytest.raises(ImportError, match=f"older than this module asks for: .* {size - 8} bytes, not {size}"):
        api.reimport()


def test_module_of_an_older_header_works_with_a_newer_library(api, monkeypatch):
    monkeypatch.setattr(tamis._core, "_C_API", api.forge(1, api.numbers()["known_size"] + 64))
    assert api.reimport() is None


@pytest.mark.parametrize("impostor", [None, 1, "_C_API"])
def test_import_refuses_what_is_no_capsule(api, monkeypatch, impostor):
    monkeypatch.setattr(tamis._core, "_C_API", impostor)
    with pytest.raises(AttributeError, match="_C_API"):
        api.reimport()


# Making


@pytest.mark.parametrize(
    "options",
    [
        None,
        {},
        {"maxsize": 10},
        {"maxsize": None, "typed": True},
        {"maxsize": -3},
        {"typed": 1},
        {"ttl": 60, "tti": 30.5, "jitter": 0.25, "on_evict": print, "maxsize": 5},
        {"weigher": len, "maxweight": 100, "ignore": ["a"]},
    ],
)
def test_make_takes_the_options_of_lru_cache(api, options):
    def function(a=1):
        return a

    made = api.make(function) if options is None else api.make(function, options)
    expected = lru_cache(**options)(function) if options else lru_cache(function)
    assert made.cache_parameters() == expected.cache_parameters()
    assert type(made) is type(expected)
    assert made.__wrapped__ is function
    assert made.__name__ == "function"


@pytest.mark.parametrize(
    "options",
    [
        {"maxsizes": 1},
        {"ttl": -1},
        {"ttl": "soon"},
        {"jitter": 2},
        {"maxsize": 1 << 80},
        {"key": 3},
        {"weigher": len},
        {"backend": "disk"},
        {"on_evict": 1, "maxsize": 3},
        {"ignore": "unknown"},
    ],
)
def test_make_raises_as_lru_cache_does(api, options):
    with pytest.raises((TypeError, ValueError, OverflowError)) as expected:
        lru_cache(**options)(listed)
    with pytest.raises(type(expected.value)) as raised:
        api.make(listed, options)
    assert str(raised.value) == str(expected.value)


@pytest.mark.parametrize(
    ("callable_", "options", "message"),
    [
        (3, {}, "the first argument must be callable, not int"),
        (len, [], "options are a dict or NULL, not list"),
        (len, None, "options are a dict or NULL, not NoneType"),
        (len, {1: 2}, r"options have names \(str\), not int"),
        (len, {"maxsize": "3"}, "maxsize takes an int or None, not str"),
        # Which lru_cache(maxsize=len) would wrap.
        (len, {"maxsize": len}, "maxsize takes an int or None, not builtin_function_or_method"),
    ],
)
def test_make_says_what_is_wrong(api, callable_, options, message):
    with pytest.raises(TypeError, match=message):
        api.make(callable_, options)


def test_make_raises_what_an_attribute_of_the_callable_raises(api):
    class Awkward:
        def __call__(self):
            return None

        def __getattr__(self, name):
            raise Refuse(name)

    with pytest.raises(Refuse):
        api.make(Awkward())


def test_make_neither_keeps_nor_changes_the_options(api):
    options = {"maxsize": 3, "ttl": 60}
    before = sys.getrefcount(options)
    made = api.make(listed, options)
    assert options == {"maxsize": 3, "ttl": 60}
    assert sys.getrefcount(options) == before
    options["maxsize"] = 4
    options["tti"] = 5
    assert made.cache_parameters() == {"maxsize": 3, "typed": False, "ttl": 60}


def test_make_says_so_where_something_else_stands_in_the_place_of_the_module(api, monkeypatch):
    for impostor in (ModuleType("tamis._core"), Thing(), sys):
        monkeypatch.setitem(sys.modules, "tamis._core", impostor)
        with pytest.raises(TypeError, match=r"in the place of tamis\._core"):
            api.make(listed)
