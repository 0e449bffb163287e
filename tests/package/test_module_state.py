"""The state of the compiled module is read from a module of ours alone, whatever stands in its place."""

from __future__ import annotations

import sys

import pytest

from helpers.subprocess_tools import run_function

ODD_SELVES = [
    "None",
    "object()",
    "__import__('math')",
    "__import__('_struct')",
    "__import__('tamis')",
    "type(_core)('new')",
]


def call_with_another_self(odd):
    import ctypes

    import pytest

    import tamis
    from tamis import _core

    other = eval(odd, {"_core": _core})
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.py_object, ctypes.py_object]
    calls = {
        "lru_cache": [(len,), ()],
        "cache": [(len,), ()],
        "cached_method": [(len,), ()],
        "_dumps": [(1.5,)],
        "_loads": [(_core._dumps([1]),)],
        "_key": [((b"a",), {"b": 1}, True)],
        "_on_death": [(None,)],
    }
    functions = [value for value in vars(_core).values() if type(value) is type(len)]
    # The definition follows the head of a PyCFunctionObject: Include/cpython/methodobject.h.
    definitions = {f.__name__: ctypes.c_void_p.from_address(id(f) + object.__basicsize__).value for f in functions}
    assert set(calls) <= set(definitions)
    for name, arguments in calls.items():
        function = new(definitions[name], other, None)
        for given in arguments:
            with pytest.raises(TypeError, match=r"in the place of tamis\._core"):
                # A decorator with options looks for the module when it meets the function.
                function(*given)(len)
    # With the module itself all is well.
    assert new(definitions["lru_cache"], _core, None)(len)("abc") == 3
    assert tamis.cache(len)("abcd") == 4


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="reads CPython's own objects")
@pytest.mark.parametrize("odd", ODD_SELVES)
def test_functions_refuse_a_self_that_is_no_module_of_ours(odd):
    run_function(call_with_another_self, odd)


def import_again_and_call():
    import importlib.util
    import sys

    import pytest

    from tamis import _core

    spec = importlib.util.spec_from_file_location("tamis._core", _core.__file__)
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    assert copy is not _core
    assert copy.lru_cache_wrapper is not _core.lru_cache_wrapper
    # Each copy has types of its own, and functions of one make no objects of another.
    for module in (_core, copy):
        assert type(module.lru_cache(len)) is module.lru_cache_wrapper
        assert module.lru_cache(len)("abc") == 3
    unfinished = importlib.util.module_from_spec(spec)
    with pytest.raises(TypeError, match="not initialised"):
        unfinished.lru_cache(len)
    del sys.modules["tamis._core"], copy, unfinished


def test_each_copy_of_the_module_has_a_state_of_its_own():
    run_function(import_again_and_call)
