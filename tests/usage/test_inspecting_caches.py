"""What the standard library's tools say of a cached function: inspect, help(), doctest, typing, pickle, copy."""

from __future__ import annotations

import asyncio
import collections.abc
import copy
import doctest
import functools
import inspect
import pydoc
import re
import sys
import traceback
import types
import typing
from types import ModuleType

import pytest

import tamis
from helpers.package_tools import as_functools
from tamis import _core

OWN_METHODS = {"cache_contains", "cache_invalidate", "cache_put", "cache_refresh", "cache_stats"}


def decorated(caches: ModuleType) -> typing.Any:
    @caches.lru_cache(maxsize=3)
    def double(number: int, unit: str = "m", *, log: object = None) -> str:
        """Return twice the number."""
        return f"{2 * number} {unit}"

    return double


@as_functools
def test_it_passes_for_a_cache_of_functools(caches: ModuleType):
    cache = decorated(caches)
    assert isinstance(cache, functools._lru_cache_wrapper)
    assert cache.__class__ is functools._lru_cache_wrapper
    assert isinstance(cache, collections.abc.Callable)
    assert isinstance(cache, collections.abc.Hashable)
    assert not isinstance(cache, types.FunctionType | types.MethodType | type | tamis.SieveCache)
    match cache:
        case functools._lru_cache_wrapper():
            pass
        case _:
            raise AssertionError("not matched")
    with pytest.raises(TypeError, match="__class__ assignment"):
        cache.__class__ = object


def test_type_tells_the_truth():
    cache = decorated(tamis)
    assert type(cache) is _core.lru_cache_wrapper
    assert isinstance(cache, _core.lru_cache_wrapper)
    assert not issubclass(type(cache), functools._lru_cache_wrapper)
    assert not isinstance(functools.cache(len), _core.lru_cache_wrapper)
    assert repr(cache).startswith("<tamis._core.lru_cache_wrapper object at ")


def test_all_that_decorators_return_pass_for_caches_of_functools():
    async def later() -> None: ...

    for cache in (tamis.cache(later), tamis.cached_method(len), tamis.cached_method(later)):
        assert isinstance(cache, functools._lru_cache_wrapper)
        assert type(cache) is not functools._lru_cache_wrapper
    assert inspect.iscoroutinefunction(tamis.cache(later))


def test_dir_names_the_attributes_of_tamis():
    cache = decorated(tamis)
    cache.colour = "red"
    names = dir(cache)
    assert {*OWN_METHODS, "cache_info", "cache_clear", "cache_parameters", "__wrapped__", "colour", "__class__"} <= {
        *names
    }
    assert names == sorted(names)
    assert len(names) == len({*names})
    assert "cache_for" in dir(tamis.cached_method(len))
    for name in names:
        if name not in ("__abstractmethods__", "__vectorcalloffset__"):
            getattr(cache, name)


@as_functools
def test_inspect_takes_it_for_a_routine_with_the_signature_and_the_source_of_the_function(caches: ModuleType):
    cache = decorated(caches)
    assert inspect.isroutine(cache)
    assert inspect.ismethoddescriptor(cache)
    assert not inspect.isfunction(cache)
    assert not inspect.isbuiltin(cache)
    assert not inspect.isdatadescriptor(cache)
    assert not inspect.iscoroutinefunction(cache)
    assert str(inspect.signature(cache)) == "(number: 'int', unit: 'str' = 'm', *, log: 'object' = None) -> 'str'"
    assert inspect.unwrap(cache) is cache.__wrapped__
    assert inspect.getdoc(cache) == "Return twice the number."
    assert inspect.getsource(cache).strip().startswith("@caches.lru_cache(maxsize=3)")
    assert inspect.getmodule(cache) is sys.modules[__name__]
    assert inspect.getattr_static(cache, "__wrapped__") is cache.__wrapped__
    assert inspect.getattr_static(cache, "cache_clear") is type(cache).cache_clear


@as_functools
def test_inspect_knows_methods_of_a_class_by_their_kinds(caches: ModuleType):
    class Account:
        @caches.cache
        def method(self) -> int: ...

        @classmethod
        @caches.cache
        def of_class(cls) -> int: ...

        @staticmethod
        @caches.cache
        def of_nobody() -> int: ...

        @property
        @caches.cache
        def prop(self) -> int: ...

    kinds = {attribute.name: attribute.kind for attribute in inspect.classify_class_attrs(Account)}
    assert [kinds[name] for name in ("method", "of_class", "of_nobody", "prop")] == [
        "method",
        "class method",
        "static method",
        "property",
    ]
    assert inspect.ismethod(Account().method)
    assert str(inspect.signature(Account().method)) == "() -> 'int'"
    shown = pydoc.render_doc(Account, renderer=pydoc.plaintext)
    assert re.search(r"Methods defined here:\s+\|\s+\|\s+method\(self\)", shown)


@as_functools
def test_help_shows_the_function(caches: ModuleType):
    shown = pydoc.render_doc(decorated(caches), renderer=pydoc.plaintext)
    # From 3.14 on without the quotes of annotations that are text.
    assert "double(number: int, unit: str = 'm', *, log: object = None) -> str" in re.sub(
        "'(int|str|object)'", r"\1", shown
    )
    assert "Return twice the number." in shown


@as_functools
def test_doctest_finds_and_runs_the_examples(caches: ModuleType):
    module = types.ModuleType("with_examples")
    source = f"""
import {caches.__name__} as caches

@caches.cache
def double(number):
    '''
    >>> double(2)
    4
    '''
    return 2 * number

class Account:
    @caches.cache
    def total(self):
        '''
        >>> Account().total()
        3
        '''
        return 3

    @classmethod
    @caches.cache
    def of_class(cls):
        '''
        >>> Account.of_class()
        'Account'
        '''
        return cls.__name__

    @property
    @caches.cache
    def size(self):
        '''
        >>> Account().size
        5
        '''
        return 5
"""
    exec(source, vars(module))
    results = doctest.testmod(module)
    assert results == (0, 4)
    found = {test.name for test in doctest.DocTestFinder().find(module) if test.examples}
    assert found == {
        f"with_examples.{name}" for name in ("double", "Account.total", "Account.of_class", "Account.size")
    }


@as_functools
def test_type_hints_and_protocols(caches: ModuleType):
    cache = decorated(caches)
    assert typing.get_type_hints(cache) == {"number": int, "unit": str, "log": object, "return": str}

    @typing.runtime_checkable
    class Clearable(typing.Protocol):
        def cache_clear(self) -> None: ...
        def __call__(self, number: int) -> str: ...

    @typing.runtime_checkable
    class Closable(typing.Protocol):
        def close(self) -> None: ...

    assert isinstance(cache, Clearable)
    assert not isinstance(cache, Closable)


@as_functools
def test_single_dispatch_over_and_under_caches(caches: ModuleType):
    @functools.singledispatch
    @caches.cache
    def shown(value: object) -> str:
        return "object"

    @shown.register
    @caches.cache
    def _(value: int) -> str:
        return "int"

    @shown.register(functools._lru_cache_wrapper)
    def _(value: object) -> str:
        return "cache"

    class Printer:
        @functools.singledispatchmethod
        @caches.cache
        def shown(self, value: object) -> str:
            return "object"

        @shown.register
        @caches.cache
        def _(self, value: int) -> str:
            return "int"

    assert [shown(1), shown("a"), shown(decorated(caches))] == ["int", "object", "cache"]
    assert [Printer().shown(1), Printer().shown("a")] == ["int", "object"]


@as_functools
def test_the_other_tools_of_functools(caches: ModuleType):
    cache = decorated(caches)
    assert functools.partial(cache, 2)() == "4 m"
    assert str(inspect.signature(functools.partial(cache, 2))).startswith("(unit: 'str' = 'm'")

    @functools.wraps(cache)
    def around(number: int) -> str:
        return cache(number)

    assert around.__wrapped__ is cache
    assert inspect.unwrap(around) is cache.__wrapped__
    assert around.__name__ == "double"
    assert not hasattr(around, "cache_clear")

    @functools.total_ordering
    class Version:
        def __init__(self, number: int) -> None:
            self.number = number

        def __hash__(self) -> int:
            return self.number

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Version) and self.number == other.number

        @caches.cache
        def __lt__(self, other: Version) -> bool:
            return self.number < other.number

        @functools.cached_property
        @caches.cache
        def double(self) -> int:
            return 2 * self.number

    assert Version(1) < Version(2)
    assert Version(2) >= Version(1)
    assert Version(4).double == 8


@as_functools
def test_it_is_copied_as_functions_are(caches: ModuleType):
    cache = decorated(caches)
    assert copy.copy(cache) is cache
    assert copy.deepcopy({"cache": [cache]})["cache"][0] is cache
    assert cache == cache
    assert cache != decorated(caches)


@as_functools
def test_a_traceback_names_the_function_alone(caches: ModuleType):
    @caches.cache
    def fails() -> None:
        raise LookupError

    with pytest.raises(LookupError) as caught:
        fails()
    assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][1:] == ["fails"]


@as_functools
def test_dataclasses_enums_and_named_tuples_have_cached_methods_and_values(caches: ModuleType):
    import dataclasses
    import enum

    cache = decorated(caches)

    @dataclasses.dataclass(frozen=True, slots=True)
    class Account:
        balance: int
        shown: object = cache

        @caches.cache
        def total(self) -> int:
            return 2 * self.balance

    class Colour(enum.Enum):
        RED = 1

        @caches.cache
        def label(self) -> str:
            return self.name.lower()

        @classmethod
        @caches.cache
        def count(cls) -> int:
            return len(cls)

    class Point(typing.NamedTuple):
        x: int

        @caches.cache
        def double(self) -> int:
            return 2 * self.x

    assert (Account(3).total(), Account(3).shown) == (6, cache)
    assert [field.name for field in dataclasses.fields(Account)] == ["balance", "shown"]
    assert (list(Colour), Colour.RED.label(), Colour.count()) == ([Colour.RED], "red", 1)
    assert (Point(4).double(), Point._fields) == (8, ("x",))


def test_the_closure_is_the_functions():
    factor = 3

    @tamis.cache
    def times(number: int) -> int:
        return factor * number

    assert times.__closure__ is times.__wrapped__.__closure__
    assert tamis.cached_method(times.__wrapped__).__closure__ is times.__wrapped__.__closure__
    assert not hasattr(tamis.cache(len), "__closure__")
    assert "__closure__" not in vars(times)


def test_coroutine_functions_are_inspected_the_same():
    @tamis.cache
    async def double(number: int) -> int:
        """Return twice the number."""
        return 2 * number

    assert inspect.iscoroutinefunction(double)
    assert inspect.isroutine(double)
    assert inspect.getsource(double).strip().startswith("@tamis.cache")
    assert "Return twice the number." in pydoc.render_doc(double, renderer=pydoc.plaintext)
    assert {*dir(double)} >= OWN_METHODS
    assert asyncio.run(functools.partial(double, 2)()) == 4
